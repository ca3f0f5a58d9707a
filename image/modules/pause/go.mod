module underlay/image/pause

go 1.26.0
