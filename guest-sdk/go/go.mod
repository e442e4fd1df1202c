module perigee.local/guest-sdk/go

go 1.24
