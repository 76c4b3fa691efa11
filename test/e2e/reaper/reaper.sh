#!/bin/sh
# Speaks what Ryuk speaks to Testcontainers, and asks an engine for what Ryuk asks: Ryuk's own image is only to be had from a
# public registry. A line of a connection is a filter; when the last connection has gone, what fits the filters goes.
now=/tmp/connections filters=/tmp/filters

if [ -n "$CONNECTION" ]; then
  touch "$now/$$"
  while read -r filter; do
    printf '%s\n' "$filter" | tr -d '\r' >>"$filters"
    echo ACK
  done
  rm "$now/$$"
  exit
fi

mkdir "$now"
CONNECTION=1 nc -ll -p 8080 -e /reaper.sh &
until grep -q ':1F90 .* 0A ' /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done
docker version --format 'Started, for {{.Server.Version}}'

until [ -s "$filters" ] && [ -z "$(ls $now)" ]; do sleep 0.1; done
sort -u "$filters" | while read -r filter; do
  docker ps --all --quiet --filter "$filter" | xargs -r docker inspect \
    --format '{{if not (index .Config.Labels "org.testcontainers.ryuk")}}{{.Id}}{{end}}' | xargs -r docker rm --force --volumes
  docker network ls --quiet --filter "$filter" | xargs -r docker network rm
  docker volume ls --quiet --filter "$filter" | xargs -r docker volume rm --force
  docker images --quiet --filter "$filter" | xargs -r docker rmi
done
