#!/bin/sh
# Installs those of the caches that are missing, and with -browser Chromium and
# Firefox too.
set -eu
[ "${1-}" = -browser ] && set -- chromium:chromium firefox-esr:firefox-esr
exec "$(dirname "$0")/../../scripts/debian" nginx:nginx varnishd:varnish squid:squid traffic_server:trafficserver \
	apache2:apache2 haproxy:haproxy "$@"
