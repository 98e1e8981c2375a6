/// Stops the program if what must hold does not, and says what it was: `precondition` says nothing in
/// a release build.
func must(_ holds: Bool, _ claim: @autoclosure () -> String) {
    if !holds { fatalError("does not hold: \(claim())") }
}
