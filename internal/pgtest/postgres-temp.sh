#!/bin/sh
# A throw-away PostgreSQL server for tests and benchmarks.
#
#   postgres-temp.sh start DIR [--durable]   start a server in DIR (absent or empty), print its URL
#   postgres-temp.sh stop DIR                stop it and remove DIR
#   postgres-temp.sh crash DIR               end its processes at once and start it again, as after a crash
#   postgres-temp.sh hold DIR [--durable]    start, print the URL; stop and remove DIR when standard input ends
#
# The server listens on a free port of the loopback interface, has a random password, and keeps text as UTF-8 in byte
# order (locale C). Without --durable it does not wait for the disk: a crash of the machine may lose its data, a crash
# of the server does not. "hold" is for programs that start a server: it ends however its owner ends, even by SIGKILL.
#
# PostgreSQL refuses to run as root; for root the server runs as the user postgres, or nobody where there is none.
set -eu

fail() {
	echo "postgres-temp: $*" >&2
	exit 1
}

# find_binaries sets bin to the newest installed server. Debian keeps its binaries off the PATH.
find_binaries() {
	for candidate in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t / -k 5 -n -r); do
		if [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ]; then
			bin=$candidate
			return
		fi
	done
	command -v initdb >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1 ||
		fail "no PostgreSQL server is installed. On Debian: apt-get install postgresql. Elsewhere: put initdb, postgres and pg_ctl on the PATH."
	bin=$(dirname "$(command -v initdb)")
}

as_server() {
	if [ "$(id -u)" != 0 ]; then
		"$@"
	elif id postgres >/dev/null 2>&1; then
		setpriv --reuid postgres --regid "$(id -g postgres)" --clear-groups "$@"
	else
		setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups "$@"
	fi
}

random() { # random BYTES: that many bytes as hexadecimal
	od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}

make_cluster() {
	mkdir -p "$dir"
	chmod 0700 "$dir"
	if [ "$(id -u)" = 0 ]; then
		owner=postgres
		id postgres >/dev/null 2>&1 || owner=nobody
		chown "$owner" "$dir"
	fi
	as_server test -w "$dir" || fail "the user the server runs as cannot enter $dir; choose a folder below /tmp"
	random 16 | as_server tee "$dir/password" >/dev/null
	as_server "$bin/initdb" --no-sync --username guildhall --pwfile "$dir/password" --auth scram-sha-256 \
		--encoding UTF8 --locale C -D "$dir/data" >"$dir/initdb.log" 2>&1 || {
		cat "$dir/initdb.log" >&2
		fail "initdb failed"
	}
	{
		echo "listen_addresses = '127.0.0.1'"
		echo "unix_socket_directories = ''"
		echo "max_connections = 200"
		if [ "$durable" = no ]; then
			echo "fsync = off"
			echo "synchronous_commit = off"
			echo "full_page_writes = off"
			echo "autovacuum = off"
		fi
	} | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
}

# start_server tries ports below the range from which the system takes outgoing ones until one is free. The server does
# not inherit descriptor 3, by which an owner may tell a living "hold" from an abandoned one.
start_server() {
	tries=0
	while [ "$tries" -lt 20 ]; do
		tries=$((tries + 1))
		port=$((20000 + 0x$(random 2) % 12000))
		as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 120 -o "-p $port" start >/dev/null 2>&1 3>&- && return
		grep -q 'could not bind' "$dir/log" || break
		as_server rm -f "$dir/log"
	done
	cat "$dir/log" >&2
	fail "the server in $dir did not start"
}

start() {
	make_cluster
	start_server
	url="postgres://guildhall:$(cat "$dir/password")@127.0.0.1:$port"
	PGPASSWORD=$(cat "$dir/password") "$bin/psql" -q -h 127.0.0.1 -p "$port" -U guildhall -d postgres \
		-c 'CREATE DATABASE guildhall' || fail "the server in $dir does not accept connections"
	echo "$url/guildhall?sslmode=disable"
}

stop() {
	if [ -f "$dir/data/postmaster.pid" ]; then
		as_server "$bin/pg_ctl" -D "$dir/data" -w -m immediate stop >/dev/null 2>&1 || true
	fi
	if [ -d "$dir/data" ] && [ -f "$dir/password" ]; then
		rm -rf "$dir"
	fi
}

crash() {
	as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 120 -m immediate restart >/dev/null 2>&1 3>&- || {
		cat "$dir/log" >&2
		fail "the server in $dir did not start again"
	}
}

[ $# -ge 2 ] || fail "usage: postgres-temp.sh start|stop|crash|hold DIR [--durable]"
command=$1
case $2 in
/*) dir=$2 ;;
*) dir=$(pwd)/$2 ;;
esac
durable=no
[ "${3:-}" != --durable ] || durable=yes
cd / # the server's user may not be allowed where we are

find_binaries
if [ "$command" != stop ] && [ "$command" != crash ] && [ -n "$(ls -A "$dir" 2>/dev/null)" ]; then
	fail "$dir is not empty"
fi

case $command in
start)
	trap 'stop' EXIT
	start
	trap - EXIT
	;;
stop)
	stop
	;;
crash)
	crash
	;;
hold)
	trap 'stop' EXIT
	trap 'exit 1' HUP INT TERM
	start
	cat >/dev/null # until the owner closes our standard input, or dies
	;;
*)
	fail "unknown command $command"
	;;
esac
