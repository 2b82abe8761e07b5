#!/bin/sh
# Fails when a Go file is not as gofmt writes it, and names it.
set -eu
cd "$(dirname "$0")/.."
unformatted=$(find . \( -name node_modules -o -path ./bin -o -path ./.git \) -prune -o -name '*.go' -print | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	echo "not formatted; run gofmt -w on:"
	echo "$unformatted"
	exit 1
fi
