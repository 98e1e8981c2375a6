import AviaryFuzzing
import CFuzzer
import Glibc

// Runs one target under libFuzzer: `aviary-fuzz TARGET [LIBFUZZER-OPTION...] [FILE-OR-FOLDER...]`.
// libFuzzer starts its own program again for some of what it does, with other arguments: for that the
// target is in the environment too.
private let variable = "AVIARY_FUZZ_TARGET"
private let argument = CommandLine.arguments.dropFirst().first.flatMap { FuzzTarget(rawValue: $0) }
private let inherited = unsafe getenv(variable).flatMap {
    FuzzTarget(rawValue: String(cString: $0))
}
guard let chosen = argument ?? inherited else {
    print(FuzzTarget.allCases.map(\.rawValue).joined(separator: "\n"))
    exit(2)
}
setenv(variable, chosen.rawValue, 1)
unsafe FuzzerDriver.target = chosen
exit(FuzzerDriver.run(isTargetAnArgument: argument != nil))
