#!/bin/sh
# Makes the databases at the first start, takes the password from its file at every start, then serves.
# Who may log in: this container's own user without a password, on its socket; the role mlflow with one, by network.
set -eu
umask 077

# After a crash the data folder names this shell's number as its owner's. PostgreSQL passes over that of its parent,
# which the shell must therefore be: no pipes into this.
administer() {
    postgres --single -D "$1" postgres >/dev/null
}

if [ ! -d "$PGDATA" ]; then
    rm -rf "$PGDATA.new"
    initdb --pgdata="$PGDATA.new" --username="$(id -un)" --auth-local=peer --auth-host=reject \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums
    printf '%s\n' "local all all peer" "host mlflow,mlflow_auth mlflow samenet scram-sha-256" >"$PGDATA.new/pg_hba.conf"
    administer "$PGDATA.new" <<SQL
CREATE ROLE mlflow LOGIN
CREATE DATABASE mlflow OWNER mlflow
CREATE DATABASE mlflow_auth OWNER mlflow
SQL
    mv "$PGDATA.new" "$PGDATA"
fi

administer "$PGDATA" <<SQL
ALTER ROLE mlflow PASSWORD '$(cat /secrets/password)'
SQL
exec postgres -D "$PGDATA" "$@"
