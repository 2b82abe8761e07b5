package zitadel

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/message"

	"guildhall/internal/access"
	"guildhall/internal/credential"
	"guildhall/internal/directory"
	"guildhall/internal/erasure"
	"guildhall/internal/fault"
	"guildhall/internal/project"
)

// A refusal is a failure in ZITADEL's words: a code, the id that its users search
// for, and a text.
type refusal struct {
	code codes.Code
	id   string
	text string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s (%s)", r.text, r.id) }

// GRPCStatus is the failure as clients see it: the text with the id behind it,
// and both once more in a detail.
func (r *refusal) GRPCStatus() *status.Status {
	st := status.New(r.code, r.Error())
	detailed, err := st.WithDetails(&message.ErrorDetail{Id: r.id, Message: r.text})
	if err != nil { // the detail is a message of ours and always encodes
		return st
	}
	return detailed
}

// The failures that do not come from the domain.
var (
	errNoToken         = status.Error(codes.Unauthenticated, "auth header missing")
	errToken           = &refusal{codes.Unauthenticated, "AUTH-7fs1e", "Errors.Token.Invalid"}
	errOrgContext      = &refusal{codes.PermissionDenied, "AUTH-Bs7Ds", "Organisation doesn't exist"}
	errNoMembership    = &refusal{codes.NotFound, "AUTHZ-cdgFk", "membership not found"}
	errPermission      = &refusal{codes.PermissionDenied, "AUTH-5mWD2", "No matching permissions found"}
	errOtherResource   = &refusal{codes.PermissionDenied, "AUTH-3jknH", "No matching permissions found"}
	errResourceDenied  = &refusal{codes.PermissionDenied, "AUTH-AWfge", "No matching permissions found"}
	errLimitTooHigh    = &refusal{codes.InvalidArgument, "QUERY-4M0fs", "The limit is higher than 1000"}
	errQueryInvalid    = &refusal{codes.InvalidArgument, "QUERY-Tq2rk", "List query is invalid"}
	errRemoveDefault   = &refusal{codes.FailedPrecondition, "COMMA-wG9p1", "Default Organisation must not be deleted"}
	errRemoveSystem    = &refusal{codes.FailedPrecondition, "COMMA-AF3JW", "Organisation with ZITADEL project must not be deleted"}
	errRemoveUnknown   = &refusal{codes.NotFound, "COMMA-aps2n", "Organisation not found"}
	errUpdateUnknown   = &refusal{codes.NotFound, "ORG-1MRds", "Organisation not found"}
	errNotChanged      = &refusal{codes.FailedPrecondition, "ORG-4VSdf", "Organisation not changed"}
	errDeactivateGone  = &refusal{codes.NotFound, "ORG-oL9nT", "Organisation not found"}
	errReactivateGone  = &refusal{codes.NotFound, "ORG-Dgf3g", "Organisation not found"}
	errIsDeactivated   = &refusal{codes.FailedPrecondition, "EVENT-Dbs2g", "Organisation is already deactivated"}
	errIsActive        = &refusal{codes.FailedPrecondition, "EVENT-bfnrh", "Organisation is already active"}
	errOrgTaken        = &refusal{codes.AlreadyExists, "V3-DKcYh", "Organisation's name or id already taken"}
	errAdminKind       = &refusal{codes.Unimplemented, "ORGv2-SD2r1", "userType nil is not implemented"}
	errOrgUnknown      = &refusal{codes.NotFound, "QUERY-iTTGJ", "Organisation not found"}
	errUserUnknown     = &refusal{codes.NotFound, "QUERY-Dfbg2", "User could not be found"}
	errUserTaken       = &refusal{codes.AlreadyExists, "V3-DKcYh", "User already exists"}
	errMetadataUnknown = &refusal{codes.NotFound, "QUERY-Rfh63", "Metadata not found"}
	errDomainUnknown   = &refusal{codes.NotFound, "ORG-GDfA3", "Domain not found"}
	errDomainTaken     = &refusal{codes.AlreadyExists, "V3-DKcYh", "Domain already exists"}
	errProjectTaken    = &refusal{codes.AlreadyExists, "V3-DKcYh", "Project already exists on organization"}
	errProjectUnknown  = &refusal{codes.NotFound, "QUERY-fk2fs", "Project could not be found"}
	errRoleUnknown     = &refusal{codes.NotFound, "PROJECT-m9vMf", "Role not found"}
	errGrantUnknown    = &refusal{codes.NotFound, "QUERY-n98GGs", "Project grant not found"}
	errUserGrantGone   = &refusal{codes.NotFound, "QUERY-fvc9o", "User grant not found"}
	errMemberUnknown   = &refusal{codes.NotFound, "MEMBER-5M8fs", "Member could not be found"}
	errMemberRole      = &refusal{codes.InvalidArgument, "MEMBER-3m9fs", "Invalid member roles"}
	errMemberNotOther  = &refusal{codes.FailedPrecondition, "MEMBER-LiaZi", "Member data has not changed"}
	errNoChanges       = &refusal{codes.FailedPrecondition, "COMMAND-2n8vx", "No changes"}
	errTokenUnknown    = &refusal{codes.NotFound, "QUERY-Bfgg1", "Personal Access Token not found"}
	errNotMachine      = &refusal{codes.FailedPrecondition, "COMMAND-Df2f1", "User must be of type machine"}
	errNotHuman        = &refusal{codes.FailedPrecondition, "COMMAND-7Mb4f", "User must be of type human"}
)

// worded are the facts of the domain that ZITADEL has its own id and text for.
// Where a method has others, it says them itself; see instead.
var worded = map[string]*refusal{
	access.ErrPermissionMissing.Reason:       errPermission,
	access.ErrUnauthenticated.Reason:         errToken,
	credential.ErrCredential.Reason:          errToken,
	credential.ErrKeyNotFound.Reason:         errTokenUnknown,
	directory.ErrOrganizationNotFound.Reason: errOrgUnknown,
	directory.ErrUserNotFound.Reason:         errUserUnknown,
	directory.ErrDomainNotFound.Reason:       errDomainUnknown,
	directory.ErrEntryNotFound.Reason:        errMetadataUnknown,
	directory.ErrNameTaken.Reason:            errOrgTaken,
	directory.ErrSlugTaken.Reason:            errOrgTaken,
	directory.ErrIDTaken.Reason:              errOrgTaken,
	directory.ErrEmailTaken.Reason:           errUserTaken,
	directory.ErrUsernameTaken.Reason:        errUserTaken,
	directory.ErrExternalIDTaken.Reason:      errUserTaken,
	directory.ErrPhoneTaken.Reason:           errUserTaken,
	directory.ErrDomainTaken.Reason:          errDomainTaken,
	directory.ErrAlreadySuspended.Reason:     errIsDeactivated,
	directory.ErrAlreadyActive.Reason:        errIsActive,
	erasure.ErrDefault.Reason:                errRemoveDefault,
	erasure.ErrProtected.Reason:              {codes.FailedPrecondition, "ORG-pr0tC", "Organisation is protected against deletion"},
	erasure.ErrHeld.Reason:                   {codes.FailedPrecondition, "ORG-h3LdC", "A legal hold forbids the deletion"},
	project.ErrProjectNotFound.Reason:        errProjectUnknown,
	project.ErrRoleNotFound.Reason:           errRoleUnknown,
	project.ErrGrantNotFound.Reason:          errGrantUnknown,
	project.ErrUserGrantNotFound.Reason:      errUserGrantGone,
	project.ErrAdministratorNotFound.Reason:  errMemberUnknown,
	project.ErrProjectTaken.Reason:           errProjectTaken,
	project.ErrRoleTaken.Reason:              {codes.AlreadyExists, "V3-DKcYh", "Role already exists on project"},
	project.ErrGrantExists.Reason:            {codes.AlreadyExists, "V3-DKcYh", "Project grant already exists"},
	project.ErrUserGrantExists.Reason:        {codes.AlreadyExists, "V3-DKcYh", "User grant already exists"},
	project.ErrAdministratorExists.Reason:    {codes.AlreadyExists, "V3-DKcYh", "Member already exists"},
	project.ErrUnknownRole.Reason:            {codes.FailedPrecondition, "PROJECT-m9vMg", "One role does not exist on project"},
}

// statuses are the codes of all other failures, with a stem for their id.
var statuses = map[fault.Kind]codes.Code{
	fault.Internal:        codes.Internal,
	fault.Invalid:         codes.InvalidArgument,
	fault.Unauthenticated: codes.Unauthenticated,
	fault.Forbidden:       codes.PermissionDenied,
	fault.NotFound:        codes.NotFound,
	fault.Conflict:        codes.AlreadyExists,
	fault.Precondition:    codes.FailedPrecondition,
	fault.Stale:           codes.Aborted,
	fault.Exhausted:       codes.ResourceExhausted,
	fault.TooLarge:        codes.ResourceExhausted,
	fault.Unavailable:     codes.Unavailable,
	fault.Unimplemented:   codes.Unimplemented,
}

// failure puts a failure of the domain into ZITADEL's words.
func failure(err error) *status.Status {
	f := fault.From(err)
	if r := worded[f.Reason]; r != nil {
		return r.GRPCStatus()
	}
	text := f.Text
	if f.Kind == fault.Internal {
		text = "An internal error occurred"
	} else if f.Field != "" {
		text = f.Field + ": " + text
	}
	return (&refusal{statuses[f.Kind], "GUILD-" + f.Reason, text}).GRPCStatus()
}

// instead gives r for a failure that is the given fact, and err for any other.
func instead(err error, fact *fault.Error, r *refusal) error {
	if err != nil && errors.Is(err, fact) {
		return r
	}
	return err
}
