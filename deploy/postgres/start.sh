#!/bin/sh
# Makes the databases at the first start, takes the password from its file at every start, then serves.
# Who may log in: this container's own user without a password, on its socket; the role mlflow with one, by network.
set -eu
umask 077

administer() {
    postgres --single -D "$1" postgres >/dev/null
}

if [ ! -d "$PGDATA" ]; then
    rm -rf "$PGDATA.new"
    initdb --pgdata="$PGDATA.new" --username="$(id -un)" --auth-local=peer --auth-host=reject \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums
    printf '%s\n' "local all all peer" "host mlflow,mlflow_auth mlflow samenet scram-sha-256" >"$PGDATA.new/pg_hba.conf"
    printf '%s\n' "CREATE ROLE mlflow LOGIN" "CREATE DATABASE mlflow OWNER mlflow" \
        "CREATE DATABASE mlflow_auth OWNER mlflow" | administer "$PGDATA.new"
    mv "$PGDATA.new" "$PGDATA"
fi

printf "ALTER ROLE mlflow PASSWORD '%s'\n" "$(cat /secrets/password)" | administer "$PGDATA"
exec postgres -D "$PGDATA" "$@"
