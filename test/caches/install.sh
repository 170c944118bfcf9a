#!/bin/sh
# Installs those of the caches that are missing, and with -browser Chromium and
# Firefox too, from Debian's packages. It starts none of their services. Where it
# cannot install, it says so and succeeds: the tests then skip what is not there.
set -eu

wanted='nginx:nginx varnishd:varnish squid:squid traffic_server:trafficserver apache2:apache2 haproxy:haproxy'
[ "${1-}" = -browser ] && wanted="$wanted chromium:chromium firefox-esr:firefox-esr"

missing=
for pair in $wanted; do
	command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "install.sh: cannot install$missing: this needs root and apt-get" >&2
	exit 0
fi

# Debian starts a service as soon as it is installed, unless this file forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
fi

export DEBIAN_FRONTEND=noninteractive
# One that fails must not keep the others away.
apt-get update -qq || true
for package in $missing; do
	apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
		echo "install.sh: could not install $package" >&2
done
