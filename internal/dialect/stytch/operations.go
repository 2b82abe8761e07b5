package stytch

import _ "embed" // for the list

// Operations is the list of all operations that the vendor offers, with tab-separated columns and a header line. It is
// the denominator of docs/compatibility.md; docs/compatibility-method.md describes it.
//
//go:embed operations.tsv
var Operations string
