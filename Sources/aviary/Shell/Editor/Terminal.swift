import Glibc

/// The terminal's settings: as they were, or so that each key comes at once and is not echoed.
@ShellActor
final class Terminal {
    private var original: termios?

    nonisolated init() {}

    func enterRawMode() {
        var settings = termios()
        guard original == nil, unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
        original = settings
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
        settings.c_iflag &= ~tcflag_t(IXON | ICRNL)
        _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    func leaveRawMode() {
        guard var settings = original else { return }
        original = nil
        _ = unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    var columns: Int {
        var size = winsize()
        let isKnown = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
        return isKnown && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}
