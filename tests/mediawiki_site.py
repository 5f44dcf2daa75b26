"""A real MediaWiki for the tests, out of Debian's packages: set up in a folder, served by `php -S` on 127.0.0.1."""

import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

SOURCE = Path("/usr/share/mediawiki")
PHP_MODULES = ("intl", "mbstring", "pdo_sqlite", "xml")
EXTENSIONS = ("Cite", "TextExtracts")  # what of Wikipedia's extensions the articles here need
NOT_NEEDED = ("extensions", "extensions-core", "LocalSettings.php", "images", "config", "mw-config")
LINKED = ("languages", "resources", "skins", "vendor")  # only read, and two thirds of all the files

SETTINGS = """
wfLoadExtensions( [ 'Cite', 'TextExtracts' ] );
$wgMainCacheType = CACHE_NONE;
$wgJobRunRate = 0;
$wgAPIMaxResultSize = 8192; // so that 50 titles take more than one answer, as thousands of revisions do on Wikipedia
// Wikipedia's Disambiguator extension, which Debian lacks, sets this same page property from __DISAMBIG__.
$wgHooks['ParserAfterTidy'][] = static function ( $parser, &$text ) {
    if ( strpos( $text, '__DISAMBIG__' ) !== false ) {
        $parser->getOutput()->setPageProperty( 'disambiguation', '' );
    }
};
"""


def why_not() -> str:
    """Why no site can be made here, or "" if one can."""
    if not (SOURCE / "api.php").is_file():
        return "MediaWiki is not installed (apt-get install mediawiki)"
    if not shutil.which("php"):
        return "php is not installed (apt-get install php-cli php-sqlite3 php-mbstring php-xml php-intl)"
    loaded = subprocess.run(["php", "-m"], capture_output=True, text=True).stdout.lower().split()
    lacking = [module for module in PHP_MODULES if module not in loaded]
    return f"php lacks {', '.join(lacking)}" if lacking else ""


class Site:
    """One wiki in `folder`, running until `close`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = _free_port()
        self.api = f"http://127.0.0.1:{self.port}/api.php"
        self._copy()
        self._php(
            "maintenance/install.php", "--dbtype", "sqlite", "--dbpath", str(folder.parent / "database"),
            "--server", f"http://127.0.0.1:{self.port}", "--scriptpath", "", "--pass", "slipstream-test-1950",
            "Test wiki", "Admin",
        )  # fmt: skip
        with open(folder / "LocalSettings.php", "a") as settings:
            settings.write(SETTINGS)
        self._server: subprocess.Popen | None = None

    def add(self, pages: dict[str, str]) -> None:
        """Create pages from wikitext, all in one go."""
        texts = self.folder.parent / "texts"
        texts.mkdir(exist_ok=True)
        for title, wikitext in pages.items():
            (texts / title).write_text(wikitext, encoding="utf-8")
        files = [str(texts / title) for title in pages]
        self._php("maintenance/importTextFiles.php", "--user", "Admin", "--overwrite", *files)

    def edit(self, title: str, wikitext: str) -> None:
        """Make a new revision of one page."""
        self._php("maintenance/edit.php", "--user", "Admin", title, text=wikitext)

    def start(self) -> None:
        """Serve the wiki; returns when it answers."""
        with open(self.folder.parent / "php.log", "w") as log:  # php has a handle of its own
            self._server = subprocess.Popen(
                ["php", "-S", f"127.0.0.1:{self.port}", "-t", str(self.folder)], stdout=log, stderr=log
            )
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{self.api}?action=query&meta=siteinfo&format=json", timeout=10).read()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the wiki does not answer: " + (self.folder.parent / "php.log").read_text()[-2000:])

    def close(self) -> None:
        """Stop the server and remove the wiki: pytest keeps its folders, and this one is large."""
        if self._server:
            self._server.terminate()
            self._server.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _copy(self) -> None:
        # Debian's folder is full of links, and its LocalSettings.php may be that of somebody's wiki.
        def skip(folder: str, names: list[str]) -> list[str]:
            return [name for name in names if name in NOT_NEEDED + LINKED] if Path(folder) == SOURCE else []

        shutil.copytree(SOURCE, self.folder, ignore=skip, ignore_dangling_symlinks=True)
        for name in LINKED:
            (self.folder / name).symlink_to(SOURCE / name)
        for name in EXTENSIONS:
            shutil.copytree(SOURCE / "extensions" / name, self.folder / "extensions" / name)

    def _php(self, *args: str, text: str = "") -> None:
        done = subprocess.run(["php", *args], cwd=self.folder, input=text, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(f"php {args[0]} failed: {done.stdout[-1500:]}{done.stderr[-1500:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
