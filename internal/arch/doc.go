// Package arch holds the rules of the source tree as tests: who may import whom, which words may stand where, and the
// budgets of size. The tables to edit are in rules_test.go.
package arch
