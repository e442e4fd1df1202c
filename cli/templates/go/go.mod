module perigee.local/@NAME@

go 1.24
