"""``diglot start``: the state store as a service over HTTP."""

from __future__ import annotations

import click

from diglot.errors import ConfigurationError
from diglot.statestore.cli.app import StoreApp, pass_app


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, help="The port to listen on; 0: any free port.")
@click.option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    default="console",
    show_default=True,
    help="The format of the log on standard error: lines for people, or JSON.",
)
@click.option(
    "--no-auth", is_flag=True, help="Treat everybody who can reach it as an admin; only on a loopback address."
)
@click.option(
    "--request-timeout",
    type=float,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Answer a request with 503 after this long, including the time for its body.",
)
@click.option(
    "--write-timeout",
    type=float,
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Disconnect a client that has read nothing of its response for this long.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    metavar="NUMBER",
    help="The maximum number of connections.",
)
@click.option(
    "--max-connections-per-address",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="NUMBER",
    help="The maximum per client address; with --trusted-proxy there is no such limit.",
)
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Trust what this proxy says about a client's address; can be repeated.",
)
@click.option(
    "--failures-per-minute",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="NUMBER",
    help="How many failed sign-ins a client address has before it must wait.",
)
@click.option(
    "--concurrent-workflows",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="How many workflows you expect to run at once; the log warns if the database is not suited for that.",
)
@pass_app
def start(
    app: StoreApp,
    host: str,
    port: int,
    log_format: str,
    no_auth: bool,
    request_timeout: float,
    write_timeout: float,
    max_connections: int,
    max_connections_per_address: int,
    trusted_proxies: tuple[str, ...],
    failures_per_minute: int,
    concurrent_workflows: int | None,
) -> None:
    """Run the state store as a service over HTTP, until SIGTERM, SIGHUP or Ctrl-C.

    Brings the schema up to date first, unless auto_migrate is off. Every client needs an API key: 'diglot init
    --admin EMAIL' creates the first one. The API is described at /schema, the service's health at /health.

    \b
    Example:
      diglot start --port 8080
    """
    if not no_auth:
        app.refuse_memory()  # nobody could have a key for it
    try:
        from diglot.statestore.server.run import serve
        from diglot.statestore.server.settings import ServerSettings
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"the service needs {error.name}: pip install 'diglot[server]'") from error
    settings = ServerSettings(
        host=host,
        port=port,
        log_format="json" if log_format == "json" else "console",
        auth=not no_auth,
        request_timeout=request_timeout,
        write_timeout=write_timeout,
        max_connections=max_connections,
        max_connections_per_address=max_connections_per_address,
        trusted_proxies=trusted_proxies,
        failures_per_minute=failures_per_minute,
        concurrent_workflows=concurrent_workflows,
    )
    serve(app.config, settings)
