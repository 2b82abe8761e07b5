package archive

import (
	"context"
	"io"
	"time"

	"guildhall/internal/access"
	"guildhall/internal/id"
)

// KeptFor is how long the server keeps an archive that it made for a deletion.
const KeptFor = 7 * 24 * time.Hour

// A Kept is an archive that the server keeps until its time is up.
type Kept struct {
	Exported
	ID    id.ID
	Until time.Time
}

// Keep exports an organization into an archive that stays with the server, so that
// its end can be asked for in the same breath. It is encrypted for others: who reads
// the database, or a backup of it, reads nothing of it.
func (s *Service) Keep(ctx context.Context, by access.Actor, organization id.ID, opts ExportOptions) (k Kept, err error) {
	if len(opts.Recipients) == 0 {
		return k, ErrOpen
	}
	spooled, err := s.Spool(ctx, by, organization, opts)
	if err != nil {
		return k, err
	}
	defer spooled.Close()
	k.Exported = spooled.Exported
	if k.ID, k.Until, err = s.Store.Keep(ctx, by.Realm, KeptFor, spooled.File); err == nil {
		err = s.Exported(ctx, by, k.Exported)
	}
	if err != nil {
		_ = s.Forget(ctx, by.Realm, k.ID)
	}
	return k, err
}

// Forget removes an archive that is kept, also for somebody who has gone away.
func (s *Service) Forget(ctx context.Context, realm, kept id.ID) error {
	return s.Store.Forget(context.WithoutCancel(ctx), realm, kept)
}

// Fetch gives an archive that is kept, as a function that writes it. It fails when
// nothing of it is there.
func (s *Service) Fetch(ctx context.Context, realm, kept id.ID, size int64) (write func(context.Context, io.Writer) error, err error) {
	part, content, err := s.Store.Kept(ctx, realm, kept, id.None)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, w io.Writer) (err error) {
		for left := size; ; {
			if _, err = w.Write(content); err != nil {
				return err
			}
			if left -= int64(len(content)); left <= 0 {
				return nil
			}
			if part, content, err = s.Store.Kept(ctx, realm, kept, part); err != nil {
				return err // its time came while it was fetched
			}
		}
	}, nil
}
