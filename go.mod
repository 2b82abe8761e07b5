module guildhall

go 1.26

require github.com/zitadel/zitadel-go/v3 v3.29.0 // indirect
