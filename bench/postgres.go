package main

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// A cluster is a PostgreSQL server of this run alone. It is durable, as one in
// production is; vacuuming in the background is off, since it would charge one
// side or the other at random.
type cluster struct {
	*process
	url     string
	root    int // process id of the server
	version string
}

func startPostgres(folder string) (*cluster, error) {
	script, err := filepath.Abs(filepath.Join("scripts", "postgres-temp.sh"))
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(folder, "postgres")
	p, err := launch(script, "hold", dir, "--durable")
	if err != nil {
		return nil, err
	}
	c := &cluster{process: p}
	if c.url, err = p.line(2 * time.Minute); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	if c.root, err = strconv.Atoi(strings.TrimSpace(first)); err != nil {
		return nil, err
	}
	db, err := sql.Open("pgx", c.url)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	for _, statement := range []string{"ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()"} {
		if _, err := db.Exec(statement); err != nil {
			return nil, err
		}
	}
	return c, db.QueryRow("SHOW server_version").Scan(&c.version)
}

// create makes an empty database and gives its address.
func (c *cluster) create(name string) (string, error) {
	db, err := sql.Open("pgx", c.url)
	if err != nil {
		return "", err
	}
	defer db.Close()
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		return "", fmt.Errorf("create a database: %w", err)
	}
	u, err := url.Parse(c.url)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// stop ends the server: it lives as long as the input of the process that holds it.
func (c *cluster) stop() {
	_ = c.input.Close()
	<-c.done
}

// databaseCPU is what the database server has used; nothing for the embedded one,
// whose work is in the process that uses it.
func (e engine) databaseCPU() time.Duration {
	if e.cluster == nil {
		return 0
	}
	return treeCPU(e.cluster.root)
}
