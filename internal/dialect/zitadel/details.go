package zitadel

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	filter "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/filter/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object"
	objectv2 "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/object/v2"

	"guildhall/internal/query"
)

// when writes a time, as exactly as it is stored; the zero time is absent.
func when(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t.Truncate(time.Microsecond))
}

// timeOf reads a time that may be absent.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// created, changed and read are the details of an object after it was made,
// after it was changed, and when it is looked at. The sequence counts its changes.
func created(s query.Stamp, owner string) *object.ObjectDetails {
	return &object.ObjectDetails{Sequence: uint64(s.Version), CreationDate: when(s.CreatedAt), ResourceOwner: owner}
}

func changed(s query.Stamp, owner string) *object.ObjectDetails {
	return &object.ObjectDetails{Sequence: uint64(s.Version), ChangeDate: when(s.UpdatedAt), ResourceOwner: owner}
}

func read(s query.Stamp, owner string) *object.ObjectDetails {
	return &object.ObjectDetails{Sequence: uint64(s.Version), CreationDate: when(s.CreatedAt), ChangeDate: when(s.UpdatedAt), ResourceOwner: owner}
}

// removed are the details of an object that has just ended.
func removed(s query.Stamp, at time.Time, owner string) *object.ObjectDetails {
	return &object.ObjectDetails{Sequence: uint64(s.Version) + 1, ChangeDate: when(at), ResourceOwner: owner}
}

// second turns details into those of the second generation of the API, which
// have the same fields.
func second(d *object.ObjectDetails) *objectv2.Details {
	return &objectv2.Details{
		Sequence: d.GetSequence(), CreationDate: d.GetCreationDate(), ChangeDate: d.GetChangeDate(), ResourceOwner: d.GetResourceOwner(),
	}
}

// listed are the details of a page.
func (a *API) listed(total int) *object.ListDetails {
	return &object.ListDetails{TotalResult: uint64(total), ViewTimestamp: when(a.Now())}
}

func (a *API) listedV2(total int) *objectv2.ListDetails {
	return &objectv2.ListDetails{TotalResult: uint64(total), Timestamp: when(a.Now())}
}

func paginated(total int, q query.Query) *filter.PaginationResponse {
	return &filter.PaginationResponse{TotalResult: uint64(total), AppliedLimit: uint64(q.Limit)}
}
