#!/bin/sh
# Runs every fuzz target for a while: fuzz.sh [DURATION], 10s unless told.
set -eu
cd "$(dirname "$0")/.."
duration=${1:-10s}
go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | while read -r package; do
	folder=$(go list -f '{{.Dir}}' "$package")
	grep -hos '^func Fuzz[A-Za-z0-9_]*' "$folder"/*_test.go | sed 's/^func //' | while read -r target; do
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" "$package" </dev/null
	done
done
