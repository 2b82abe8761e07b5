package arch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// guessable are the packages that may draw numbers which anybody could guess, with
// what for: none of it is a secret.
var guessable = map[string]string{
	"internal/directory/organizations.go": "names that are free",
	"internal/webhook/retry.go":           "how long to wait",
}

// TestT_G19_SecretsComeFromTheSystem looks for random numbers of another kind.
func TestT_G19_SecretsComeFromTheSystem(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		if strings.HasPrefix(name, "e2e/") || strings.HasPrefix(name, "bench/") || strings.HasPrefix(name, "internal/store/storetest/") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(text), `"math/rand`) && guessable[name] == "" {
			t.Errorf("%s draws numbers that can be guessed", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
