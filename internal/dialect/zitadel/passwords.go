package zitadel

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	user "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"

	"guildhall/internal/directory"
)

var errVerifyPassword = status.Error(codes.Unimplemented, "verifying a password before it is changed not implemented")

// newPassword reads the password of a message and hashes it; "" is none.
func (a *API) newPassword(c *call, p *user.SetPassword) (hash string, change bool, err error) {
	switch {
	case p == nil:
		return "", false, nil
	case p.GetCurrentPassword() != "" || p.GetVerificationCode() != "":
		return "", false, errVerifyPassword
	case p.GetHashedPassword() != nil:
		hash = p.GetHashedPassword().GetHash()
		if hash == "" || hash[0] != '$' || len(hash) > 500 {
			return "", false, errHash
		}
		return hash, p.GetHashedPassword().GetChangeRequired(), nil
	}
	hash, err = a.Credentials.HashPassword(c, p.GetPassword().GetPassword())
	return hash, p.GetPassword().GetChangeRequired(), err
}

func (a *API) setPassword(c *call, q *user.SetPasswordRequest) (*user.SetPasswordResponse, error) {
	if q.GetVerification() != nil {
		return nil, errVerifyPassword
	}
	u, err := a.amend(c, q.GetUserId(), directory.Human, &user.SetPassword{
		PasswordType: &user.SetPassword_Password{Password: q.GetNewPassword()},
	}, func(*directory.User) {})
	d, err := a.userChangedV2(c, u, err)
	return &user.SetPasswordResponse{Details: d}, err
}
