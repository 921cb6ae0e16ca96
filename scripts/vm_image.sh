#!/bin/sh
# Builds what the virtual machines of a VM rack boot (docs/vm.md): a kernel and an initramfs.
#
#   vm_image.sh PREFIX FOLDER
#
# PREFIX holds bin/ and libexec/ashlar/ of ashlar (the build folder, or where it is installed); FOLDER gets `kernel`,
# `initramfs`, and what they are made of. Needs no privileges. The kernel is that of Debian's package linux-image-amd64,
# downloaded once and unpacked below FOLDER, never installed. The initramfs holds our programs, busybox, ip, rdma and
# perftest with their libraries, and the few modules of that kernel which a node needs. It is quick and silent when nothing
# that goes in has changed; commands that come at the same time wait for each other.
set -eu
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

fail() {
	echo "vm_image: $*" >&2
	exit 1
}

[ $# -eq 2 ] || fail "usage: vm_image.sh PREFIX FOLDER"
prefix=$(cd "$1" && pwd)
mkdir -p "$2" || fail "cannot make the folder $2"
folder=$(cd "$2" && pwd)
exec 9>"$folder/lock"
flock 9

# ---- the kernel --------------------------------------------------------------------------------------------------------

# In the order of loading, dependencies come by themselves. crc32: rdma_rxe asks for it by name only when a link is made.
modules_common="virtio_pci virtio_net virtio_console virtio_rng crc32_generic crc32c_generic rdma_rxe rdma_ucm ib_uverbs qemu_fw_cfg"
modules_storage="virtio_blk ext4 squashfs 9pnet_virtio 9p overlay"

kernel_package() {
	apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1
}

kernel_fetch() {
	for deb in "$folder"/linux-image-*.deb; do
		[ -f "$deb" ] && return 0
	done
	package=$(kernel_package)
	[ -n "$package" ] || fail "apt knows no kernel package (linux-image-amd64); try apt-get update, or put a linux-image-*.deb into $folder"
	echo "vm_image: downloading $package"
	rm -rf "$folder/download"
	mkdir "$folder/download"
	(cd "$folder/download" && apt-get -q download "$package" >apt.log 2>&1 </dev/null) || {
		tail -n 3 "$folder/download/apt.log" >&2
		fail "apt-get download $package failed; try apt-get update, or put a linux-image-*.deb into $folder"
	}
	mv "$folder"/download/linux-image-*.deb "$folder/"
	rm -r "$folder/download"
}

kernel_unpack() {
	[ -f "$folder/kernel" ] && return 0
	kernel_fetch
	rm -rf "$folder/package"
	for deb in "$folder"/linux-image-*.deb; do
		dpkg-deb -x "$deb" "$folder/package" || fail "$deb cannot be unpacked; remove it, and it is downloaded anew"
		break
	done
	version=$(cd "$folder/package/lib/modules" && echo *)
	depmod -b "$folder/package" "$version" || fail "depmod fails for the kernel $version"
	kernel_unpack_image "$folder/package/boot/vmlinuz-$version"
}

# Debian's image unpacks itself by xz, for which an emulated processor needs 20 s and more. The boot protocol's header says
# where the packed kernel lies: QEMU boots the unpacked one as well.
kernel_unpack_image() {
	number() { od -An "-tu$3" -j "$2" -N "$3" "$1" | tr -d ' '; }
	at=$((($(number "$1" 497 1) + 1) * 512 + $(number "$1" 584 4)))
	tail -c +$((at + 1)) "$1" | head -c "$(number "$1" 588 4)" | xz -dcq >"$folder/kernel.new" 2>/dev/null || :
	# Not packed by xz, or not at all: as it is
	[ "$(head -c 4 "$folder/kernel.new" | tail -c 3)" = ELF ] || cp "$1" "$folder/kernel.new"
	mv "$folder/kernel.new" "$folder/kernel"
}

# Modules that the names stand for, dependencies first: insmod's order.
module_files() {
	for m in "$@"; do
		modprobe -d "$folder/package" -S "$version" --show-depends "$m" || fail "the kernel $version has no module $m"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# Whether KVM runs this very kernel. That /dev/kvm can be opened says little: under some hypervisors the machine then never
# gets anywhere. Without an init the kernel panics, and so QEMU ends, in a second. Asked once per boot of the host.
accel_find() {
	boot=$(cat /proc/sys/kernel/random/boot_id)
	grep -qs "^[a-z]* $boot\$" "$folder/accel" && return 0
	accel=tcg
	[ -w /dev/kvm ] && timeout 6 qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none \
		-machine q35,accel=kvm -cpu host -m 192M -kernel "$folder/kernel" -append "quiet panic=-1" \
		</dev/null >/dev/null 2>&1 && accel=kvm
	echo "$accel $boot" >"$folder/accel"
}

kernel_unpack
accel_find
version=$(cd "$folder/package/lib/modules" && echo *)

# ---- what goes in ------------------------------------------------------------------------------------------------------

need() { # program, package: its path
	command -v "$1" || fail "there is no $1 (package $2; scripts/setup.sh installs it)"
}

own=""
for p in ashlar gmm pcomponent mcomponent scomponent; do
	[ -x "$prefix/bin/$p" ] || fail "there is no $prefix/bin/$p"
	own="$own $prefix/bin/$p"
done
busybox=$(need busybox busybox-static)
tools="$(need ip iproute2) $(need rdma iproute2)"
for p in ib_read_lat ib_write_lat ib_send_lat ib_read_bw; do
	tools="$tools $(need $p perftest)"
done
# Loaded by name as the program runs: no program says that it needs them.
loaded=$(find /usr/lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu/libibverbs -maxdepth 1 \
	-name libfabric.so.1 -o -name 'librxe-*.so' 2>/dev/null) || :

# shellcheck disable=SC2086 # lists are meant to be split
libraries=$({
	ldd $own $tools $loaded 2>/dev/null || :
} | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^\// && $i !~ /:$/) print $i }' | sort -u)

# shellcheck disable=SC2086
inputs="$0 $folder/kernel $prefix/libexec/ashlar/dispatcher $prefix/libexec/ashlar/vm/init $prefix/libexec/ashlar/vm/agent
$own $busybox $tools $loaded $libraries"
# shellcheck disable=SC2086
stat -L -c '%n %s %Y' $inputs >"$folder/inputs.new" || fail "something that goes into the image is not there"
if [ -f "$folder/initramfs" ] && cmp -s "$folder/inputs" "$folder/inputs.new"; then
	rm "$folder/inputs.new"
	exit 0
fi

# ---- the initramfs -----------------------------------------------------------------------------------------------------

root=$folder/root
rm -rf "$root"
mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/etc" \
	"$root/ashlar/bin" "$root/ashlar/libexec/ashlar"

strip_to() { # file, target
	strip --strip-debug -o "$2" "$1" 2>/dev/null || cp "$1" "$2"
	chmod 755 "$2"
}

for p in $own; do
	strip_to "$p" "$root/ashlar/bin/${p##*/}"
done
strip_to "$prefix/libexec/ashlar/dispatcher" "$root/ashlar/libexec/ashlar/dispatcher"
strip_to "$prefix/libexec/ashlar/vm/agent" "$root/ashlar/agent"
cp "$prefix/libexec/ashlar/vm/init" "$root/init"
chmod 755 "$root/init"
cp -L "$busybox" "$root/bin/busybox"
for p in $tools; do
	cp -L "$p" "$root/bin/"
done
for l in $libraries $loaded; do
	mkdir -p "$root${l%/*}"
	cp -L "$l" "$root$l"
done
if [ -d /etc/libibverbs.d ]; then
	mkdir -p "$root/etc/libibverbs.d"
	cp /etc/libibverbs.d/rxe.driver "$root/etc/libibverbs.d/" 2>/dev/null || :
fi
printf 'root:x:0:0:root:/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"

# shellcheck disable=SC2086
for kind in common storage; do
	eval "names=\$modules_$kind"
	for f in $(module_files $names); do
		[ -e "$root/modules/${f##*/}" ] && continue # a common one
		cp "$f" "$root/modules/"
		echo "${f##*/}"
	done >"$root/modules/$kind"
done

# Not compressed: unpacking costs the guests more than it saves.
(cd "$root" && find . | sort | cpio -o -H newc -R 0:0 --quiet) >"$folder/initramfs.new" || fail "cpio failed"
mv "$folder/initramfs.new" "$folder/initramfs"
rm -rf "$root"
mv "$folder/inputs.new" "$folder/inputs"
