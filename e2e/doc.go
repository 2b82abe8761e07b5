// Package e2e owns the proof that the vendors' own SDKs, unmodified, and plain HTTP clients that behave like them drive a
// built Guildhall on both database engines. It holds tests only.
package e2e
