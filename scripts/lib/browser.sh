# What the tests of the pages need: Chromium, its driver, and axe-core; sourced after common.sh, never run.
# shellcheck shell=bash

# axe-core finds what keeps people from using a page. Tests only: its licence (MPL-2.0) and its size stay out of the tree.
AXE_VERSION=4.14.1
AXE_SHA256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c

require_browser() {
  have chromedriver || install_packages "the pages are tested in a real browser" chromium chromium-driver
}

# Leaves axe.min.js where the tests look for it, unless that very file is there already.
require_axe() {
  local folder sum package
  folder="$(target_dir)/tmp/axe-core"
  sum="$AXE_SHA256  $folder/axe.min.js"
  sha256sum --check --status <<<"$sum" 2>/dev/null && return
  have npm || install_packages "npm fetches axe-core, which finds what keeps people from using a page" npm
  say "fetching axe-core $AXE_VERSION"
  rm -rf "$folder"
  mkdir -p "$folder"
  package="$(npm pack --silent --pack-destination "$folder" "axe-core@$AXE_VERSION" 2>&1)" ||
    fail "axe-core could not be fetched: $package"
  tar -xzf "$folder/axe-core-$AXE_VERSION.tgz" -C "$folder" --strip-components=1 package/axe.min.js package/LICENSE
  rm "$folder/axe-core-$AXE_VERSION.tgz"
  sha256sum --check --status <<<"$sum" || fail "axe-core $AXE_VERSION is not the file that was expected"
}

# Has Chromium write in Inter and JetBrains Mono, so that pictures are the same wherever they are made.
require_typefaces() {
  local config
  config="$(target_dir)/tmp/typefaces.conf"
  if [ ! -d /usr/share/fonts/truetype/jetbrains-mono ] || ! find /usr/share/fonts -iname 'Inter*' | grep -q .; then
    install_packages "pictures of the pages are made in one typeface" fontconfig fonts-inter fonts-jetbrains-mono
  fi
  mkdir -p "$(dirname "$config")"
  cat >"$config" <<'END'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias binding="strong"><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="strong"><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="strong"><family>monospace</family><prefer><family>JetBrains Mono</family></prefer></alias>
  <alias binding="strong"><family>ui-monospace</family><prefer><family>JetBrains Mono</family></prefer></alias>
</fontconfig>
END
  export FONTCONFIG_FILE="$config"
}
