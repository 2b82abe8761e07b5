package e2e

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // creates the databases that servers under test use
)

// postgresURL is a server on which tests may create and drop databases.
var postgresURL string

// startPostgres uses E2E_DATABASE_URL, or starts a server from the installed binaries that lives as long as this process.
func startPostgres(scratch string) (stop func(), err error) {
	if postgresURL = os.Getenv("E2E_DATABASE_URL"); postgresURL != "" {
		return func() {}, nil
	}
	script, err := filepath.Abs(filepath.Join("..", "scripts", "postgres-temp.sh"))
	if err != nil {
		return nil, err
	}
	hold := exec.Command(script, "hold", filepath.Join(scratch, "postgres"))
	hold.Stderr = os.Stderr
	input, err := hold.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := hold.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(scratch, 0o755); err != nil { // the database server may run as another user
		return nil, err
	}
	if err := hold.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting PostgreSQL: %w", err), input.Close(), hold.Wait())
	}
	postgresURL = strings.TrimSpace(line)
	return func() {
		_ = input.Close()
		if err := hold.Wait(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: stopping PostgreSQL:", err)
		}
	}, nil
}

// createDatabase makes an empty database and returns its URL. A database of that name from an earlier run is dropped.
func createDatabase(name string) (string, error) {
	db, err := sql.Open("pgx", postgresURL)
	if err != nil {
		return "", err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return "", fmt.Errorf("%s: %w", statement, err)
		}
	}
	u, err := url.Parse(postgresURL)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}
