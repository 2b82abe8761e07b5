// Bench measures a built server against the least it could cost: a bare net/http
// handler that answers the same bytes, the same SQL without a server, one raw
// signature, one cascading DELETE.
//
// Both sides run in processes of their own and take turns in short slices, so
// that a busy machine disturbs both alike. The figures to rely on are ratios of
// the CPU time that the processes used, read from /proc; hence it runs on Linux
// only. Run it with "make bench"; docs/performance.md keeps what it printed.
package main
