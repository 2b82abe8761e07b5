// Package oidc owns the OpenID provider: what an application may ask for, how a
// person's answer becomes a code, a grant and tokens, and what tokens say.
//
// It knows no HTTP. Every wire that has an authorize or a token endpoint reads its
// parameters, makes one call here and words the result or the failure its own way.
package oidc
