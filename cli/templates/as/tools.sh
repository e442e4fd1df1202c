
# The compiler of package.json, once `npm ci` has put it into node_modules.
if [ -z "${ASC:-}" ] && [ -x node_modules/.bin/asc ]; then
  ASC=node_modules/.bin/asc
fi
asc=$(tool ASC asc "npm ci installs it (npm's package assemblyscript, with Debian's packages nodejs and npm)")
