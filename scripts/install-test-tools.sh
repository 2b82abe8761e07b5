#!/bin/sh
# Installs what the tests need and is missing: a C compiler (for Go's race detector), PostgreSQL, Chromium (another one may be named by CHROMIUM), Node.js with npm, the npm packages.
# Go is taken for granted. Changes nothing when everything is there.
set -eu
cd "$(dirname "$0")/.."

packages=
command -v "${CC:-gcc}" >/dev/null 2>&1 || packages="$packages gcc libc6-dev"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || packages="$packages postgresql"

command -v chromium >/dev/null 2>&1 || [ -n "${CHROMIUM:-}" ] || packages="$packages chromium"
command -v npm >/dev/null 2>&1 || packages="$packages nodejs npm"

if [ -n "$packages" ]; then
	if ! command -v apt-get >/dev/null 2>&1; then
		echo "Please install the equivalent of Debian's packages:$packages" >&2
		exit 1
	fi
	sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	install="$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages"
	$install || { $sudo apt-get update -q && $install; } # a fresh machine has no package lists yet
fi

if ! node -e 'process.exit(+(parseInt(process.versions.node) < 20))'; then
	echo "Node.js $(node --version) is too old for the tests: install version 20 or newer, as Debian 13 has it" >&2
	exit 1
fi
# npm writes the inner lock file last, so an interrupted installation is done again.
if [ ! e2e/node_modules/.package-lock.json -nt e2e/package-lock.json ]; then
	(cd e2e && npm ci --no-audit --no-fund && touch node_modules/.package-lock.json)
fi
