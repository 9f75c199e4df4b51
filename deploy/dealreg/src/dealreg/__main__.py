"""Entry point of the ``dealreg`` command. Must not do anything but start it."""

from dealreg.cli import app


def main() -> None:
    app(prog_name="dealreg")


if __name__ == "__main__":
    main()
