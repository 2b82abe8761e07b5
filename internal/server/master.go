package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"guildhall/internal/id"
	"guildhall/internal/vault/master"
)

// ErrMasterElsewhere is a master key that this program cannot make or destroy,
// because it is not in a file.
var ErrMasterElsewhere = errors.New("the master key is not in a file: make the new one where it is kept, give both to every node, the new one first, and run this again")

// Rewrap wraps the keysets of all realms and the secrets of the installation with the
// current master key, and counts those that another one wrapped. Servers go on meanwhile.
func (s Services) Rewrap(ctx context.Context) (n int, err error) {
	err = s.eachRealm(ctx, func(r id.ID) error {
		more, err := s.Vault.Rewrap(ctx, r)
		n += more
		return err
	})
	if err != nil {
		return n, err
	}
	current, err := s.Vault.Master.Current(ctx)
	if err != nil {
		return n, err
	}
	more, err := s.DB.RewrapSecrets(ctx, current, s.Vault)
	return n + more, err
}

// Secret gives a random secret of the whole installation, the same on every node.
func (s Services) Secret(ctx context.Context, name string) ([]byte, error) {
	secret, err := s.DB.Secret(ctx, name, s.Vault)
	if err != nil {
		return nil, fmt.Errorf("open what the database has sealed: %w", err)
	}
	return secret, nil
}

// NewMaster makes a new master key in the file and wraps everything with it.
func (s Services) NewMaster(ctx context.Context, now time.Time) (n int, err error) {
	file, ok := s.Vault.Master.(*master.File)
	if !ok {
		return 0, ErrMasterElsewhere
	}
	if _, err := file.Add(now); err != nil {
		return 0, err
	}
	return s.Rewrap(ctx)
}

// DestroyMasters takes the master keys out of the file that were replaced at a
// time or before, and that wrap nothing any more. Backups whose keysets they
// wrapped keep their secrets to themselves from then on.
func (s Services) DestroyMasters(ctx context.Context, replaced time.Time) (names []string, err error) {
	file, ok := s.Vault.Master.(*master.File)
	if !ok {
		return nil, ErrMasterElsewhere
	}
	keys, err := file.Keys()
	if err != nil {
		return nil, err
	}
	used, err := s.DB.MasterKeys(ctx)
	if err != nil {
		return nil, err
	}
	for i, k := range keys[1:] {
		if successor := keys[i]; !successor.Created.After(replaced) && !slices.Contains(used, k.Name) {
			names = append(names, k.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return names, file.Destroy(names...)
}

const (
	// masterRest is how long a master key serves at least before a purge replaces it.
	masterRest = 24 * time.Hour
	// masterKept is how long one that was replaced is kept, unless configured.
	masterKept = 30 * 24 * time.Hour
)

// keepMaster replaces the master key after purges, and destroys those that were
// replaced long enough ago: thus what backups hold of the purged ends, too. It
// does so only with the file that the server made for itself.
func (s *Server) keepMaster(ctx context.Context) {
	if !s.ownMaster() {
		return
	}
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := s.eraseMaster(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.Log.Error("replace the master key", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// eraseMaster does what is due at a time.
func (s *Server) eraseMaster(ctx context.Context, now time.Time) error {
	file, ok := s.Vault.Master.(*master.File)
	if !ok {
		return nil
	}
	keys, err := file.Keys()
	if err != nil {
		return err
	}
	if now.Sub(keys[0].Created) >= masterRest {
		purged, err := s.DB.PurgedSince(ctx, keys[0].Created)
		if err != nil {
			return err
		}
		if purged {
			n, err := s.NewMaster(ctx, now)
			if err != nil {
				return err
			}
			s.Log.Info("made a new master key after a purge", "keysets", n)
		}
	}
	if _, err := s.Rewrap(ctx); err != nil { // what a process that ended has left
		return err
	}
	keep := s.MasterKeep
	if keep == 0 {
		keep = masterKept
	}
	names, err := s.DestroyMasters(ctx, now.Add(-keep))
	if len(names) > 0 {
		s.Log.Info("destroyed master keys that were replaced", "names", names)
	}
	return err
}
