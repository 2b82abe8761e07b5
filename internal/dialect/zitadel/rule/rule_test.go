package rule_test

import (
	"strings"
	"testing"

	"github.com/envoyproxy/protoc-gen-validate/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/admin"
	_ "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/auth"
	_ "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/authorization/v2"
	filter "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/filter/v2"
	permission "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/internal_permission/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/management"
	org "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2"
	_ "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/org/v2beta"
	project "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/project/v2"
	"github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/session/v2"
	settings "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/settings"
	user "github.com/zitadel/zitadel-go/v3/pkg/client/zitadel/user/v2"

	"google.golang.org/protobuf/types/known/durationpb"

	"guildhall/internal/dialect/zitadel/rule"
)

func setUp(name string, change func(*admin.SetUpOrgRequest_Human)) *admin.SetUpOrgRequest {
	h := &admin.SetUpOrgRequest_Human{
		UserName: "ada",
		Profile:  &admin.SetUpOrgRequest_Human_Profile{FirstName: "Ada", LastName: "Lovelace"},
		Email:    &admin.SetUpOrgRequest_Human_Email{Email: "ada@example.com"},
		Password: "secret",
	}
	if change != nil {
		change(h)
	}
	return &admin.SetUpOrgRequest{
		Org:  &admin.SetUpOrgRequest_Org{Name: name},
		User: &admin.SetUpOrgRequest_Human_{Human: h},
	}
}

func TestTexts(t *testing.T) {
	long := strings.Repeat("ä", 201)
	for _, c := range []struct {
		name string
		in   proto.Message
		want string
	}{
		{"valid", setUp("Acme", nil), ""},
		{"empty id", &admin.RemoveOrgRequest{}, "invalid RemoveOrgRequest.OrgId: value length must be between 1 and 200 runes, inclusive"},
		{"runes are counted, not bytes", &admin.RemoveOrgRequest{OrgId: long[:len(long)-2]}, ""},
		{"too long", &admin.RemoveOrgRequest{OrgId: long}, "invalid RemoveOrgRequest.OrgId: value length must be between 1 and 200 runes, inclusive"},
		{"required message", &admin.SetUpOrgRequest{User: setUp("x", nil).User}, "invalid SetUpOrgRequest.Org: value is required"},
		{"required choice", &admin.SetUpOrgRequest{Org: &admin.SetUpOrgRequest_Org{Name: "Acme"}}, "invalid SetUpOrgRequest.User: value is required"},
		{"embedded", setUp("", nil), "invalid SetUpOrgRequest.Org: embedded message failed validation | caused by: invalid SetUpOrgRequest_Org.Name: value length must be between 1 and 200 runes, inclusive"},
		{"e-mail", setUp("Acme", func(h *admin.SetUpOrgRequest_Human) { h.Email.Email = "ada" }), "invalid SetUpOrgRequest.Human: embedded message failed validation | caused by: invalid SetUpOrgRequest_Human.Email: embedded message failed validation | caused by: invalid SetUpOrgRequest_Human_Email.Email: value must be a valid email address | caused by: mail: missing '@' or angle-addr"},
		{"e-mail with a name", setUp("Acme", func(h *admin.SetUpOrgRequest_Human) { h.Email.Email = "Ada <ada@example.com>" }), "mail: not a bare address"},
		{"e-mail host", setUp("Acme", func(h *admin.SetUpOrgRequest_Human) { h.Email.Email = "ada@-x.com" }), "hostname parts cannot begin with hyphens"},
		{"phone prefix", &management.UpdateHumanPhoneRequest{UserId: "1", Phone: "0791234567"}, `invalid UpdateHumanPhoneRequest.Phone: value does not have prefix "+"`},
		{"enum zero", &management.AddMachineKeyRequest{UserId: "1"}, "invalid AddMachineKeyRequest.Type: value must not be in list [0]"},
		{"enum unknown", &management.AddProjectRequest{Name: "x", PrivateLabelingSetting: 99}, "invalid AddProjectRequest.PrivateLabelingSetting: value must be one of the defined enum values"},
		{"unique items", &filter.InIDsFilter{Ids: []string{"a", "a"}}, "invalid InIDsFilter.Ids[1]: repeated value must contain unique items"},
		{"list item", &management.BulkRemoveOrgMetadataRequest{Keys: []string{"a", ""}}, "invalid BulkRemoveOrgMetadataRequest.Keys[1]: value length must be between 1 and 200 runes, inclusive"},
		{"bool constant", &permission.ResourceFilter{Resource: &permission.ResourceFilter_Instance{}}, "invalid ResourceFilter.Instance: value must equal true"},
		{"optional set to empty", &management.AddMachineUserRequest{UserName: "m", Name: "m", UserId: proto.String("")}, "invalid AddMachineUserRequest.UserId: value length must be between 1 and 200 runes, inclusive"},
		{"optional absent", &project.UpdateProjectRequest{ProjectId: "1"}, ""},
		{"duration", &session.SetSessionRequest{SessionId: "1", SessionToken: "t", Lifetime: durationpb.New(0)}, "invalid SetSessionRequest.Lifetime: value must be greater than 0s"},
		{"count range", &user.GenerateRecoveryCodesRequest{UserId: "1", Count: 51}, "invalid GenerateRecoveryCodesRequest.Count: value must be inside range [1, 50]"},
		{"NUL", &admin.RemoveOrgRequest{OrgId: "a\x00b"}, "invalid RemoveOrgRequest.OrgId: value must not contain a NUL character"},
		{"NUL where no rule is", &org.ListOrganizationsRequest{Queries: []*org.SearchQuery{{Query: &org.SearchQuery_IdQuery{IdQuery: &org.OrganizationIDQuery{Id: "a\x00"}}}}}, "value must not contain a NUL character"},
		{"settings", &settings.SecretGenerator{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := rule.Check(c.in)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// understood are the rules that the package evaluates. Another one in a newer
// version of the messages must not be passed over in silence.
var understood = map[protoreflect.FullName]bool{
	"validate.StringRules.len": true, "validate.StringRules.min_len": true, "validate.StringRules.max_len": true,
	"validate.StringRules.min_bytes": true, "validate.StringRules.max_bytes": true, "validate.StringRules.prefix": true,
	"validate.StringRules.email": true, "validate.StringRules.uri_ref": true, "validate.StringRules.ignore_empty": true,
	"validate.BytesRules.min_len": true, "validate.BytesRules.max_len": true,
	"validate.EnumRules.defined_only": true, "validate.EnumRules.not_in": true, "validate.BoolRules.const": true,
	"validate.Int32Rules.gte": true, "validate.Int32Rules.lte": true, "validate.UInt32Rules.gt": true, "validate.UInt64Rules.gt": true,
	"validate.DurationRules.required": true, "validate.DurationRules.const": true, "validate.DurationRules.gt": true,
	"validate.DurationRules.gte": true, "validate.DurationRules.lte": true, "validate.TimestampRules.required": true,
	"validate.RepeatedRules.min_items": true, "validate.RepeatedRules.max_items": true, "validate.RepeatedRules.unique": true,
	"validate.RepeatedRules.items": true, "validate.MessageRules.required": true, "validate.MessageRules.skip": true,
	"validate.FieldRules.message": true,
}

func TestEveryRuleIsUnderstood(t *testing.T) {
	visited := 0
	var leaves func(t *testing.T, m protoreflect.Message, of protoreflect.FullName)
	leaves = func(t *testing.T, m protoreflect.Message, of protoreflect.FullName) {
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			isChoice := f.ContainingOneof() != nil && f.ContainingMessage().FullName() == "validate.FieldRules"
			if !isChoice && !understood[f.FullName()] {
				t.Errorf("%s uses %s", of, f.FullName())
			}
			if isChoice || f.FullName() == "validate.RepeatedRules.items" || f.FullName() == "validate.FieldRules.message" {
				leaves(t, v.Message(), of)
			}
			return true
		})
	}
	var walk func(protoreflect.MessageDescriptors)
	walk = func(ms protoreflect.MessageDescriptors) {
		for i := range ms.Len() {
			m := ms.Get(i)
			for j := range m.Fields().Len() {
				f := m.Fields().Get(j)
				if rules, ok := proto.GetExtension(f.Options(), validate.E_Rules).(*validate.FieldRules); ok && rules != nil {
					leaves(t, rules.ProtoReflect(), f.FullName())
				}
			}
			_ = rule.Check(dynamicpb.NewMessage(m)) // compiles the rules; must not panic
			visited++
			walk(m.Messages())
		}
	}
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(f.Package()), "zitadel.") {
			walk(f.Messages())
		}
		return true
	})
	if visited < 1000 {
		t.Errorf("visited %d messages only", visited)
	}
}

func BenchmarkCheck(b *testing.B) {
	m := setUp("Acme", nil)
	for b.Loop() {
		if err := rule.Check(m); err != nil {
			b.Fatal(err)
		}
	}
}
