package breach

// InRange is inRange.
var InRange = inRange
