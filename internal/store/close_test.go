package store_test

import (
	"context"
	"os"
	"testing"

	"guildhall/internal/realm"
	"guildhall/internal/store"
)

func TestAClosedDatabaseIsOneFile(t *testing.T) {
	ctx, folder := context.Background(), t.TempDir()
	db, err := store.Open(ctx, store.Options{Address: folder, Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	realms := realm.Service{Store: store.Realms{DB: db}}
	if _, err := realms.Create(ctx, realm.Realm{Name: "A"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 || files[0].Name() != store.FileName {
		t.Errorf("left behind: %v", files)
	}
}
