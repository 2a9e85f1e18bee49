"""Builds and installs catprobe with setuptools, the old one of CPython 3.6 as well as today's.

The metadata stands here and not in pyproject.toml, because old setuptools does not read it there. In the
environment, CATPROBE_NO_USDT=1 builds without the sites for kernel tracers; CC and CFLAGS are as usual.
"""

import glob
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

try:
    from setuptools.errors import CompileError, LinkError
except ImportError:  # before setuptools 59
    from distutils.errors import CompileError, LinkError

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("probes", os.path.join("src", "command", "verbs"), os.path.join("src", "viewer", "pages")):
    sys.path.insert(0, os.path.join(HERE, folder))
import embed  # noqa: E402
import embed_pages  # noqa: E402
import generate  # noqa: E402

GENERATED = os.path.join("build", "generated")

# Folder in the checkout -> what of it is installed, in catprobe/scripts/FOLDER.
SCRIPTS = {"d_demo": ("*.d", "*.bt"), "toolkit": ("*.d",)}

# ID or ID_LIKE in /etc/os-release, or sys.platform -> the command, the packages of the compiler, of Python.h.
PACKAGES = {
    "debian": ("apt-get install", "gcc libc6-dev", "python{}.{}-dev"),
    "fedora": ("dnf install", "gcc", "python3-devel"),
    "rhel": ("dnf install", "gcc", "python3-devel"),
    "suse": ("zypper install", "gcc", "python3-devel"),
    "alpine": ("apk add", "gcc musl-dev linux-headers", "python3-dev"),
    "arch": ("pacman -S", "gcc", "python"),
    "darwin": ("xcode-select", "--install", "--install"),
    "other": ("(your system's way to install)", "gcc", "python3-dev or python3-devel"),
}

# Where DTrace is the system's own, `dtrace -h` makes the sites; where True, `dtrace -G` makes an object too.
DTRACE_SYSTEMS = {"Darwin": False, "FreeBSD": True, "SunOS": True}


def read(path):
    with open(os.path.join(HERE, path), encoding="utf-8") as file:
        return file.read()


def version():
    scope = {}
    exec(read("src/catprobe/_version.py"), scope)
    return scope["__version__"]


def distribution():
    """The entry of PACKAGES for this machine."""
    names = [sys.platform]
    if os.path.exists("/etc/os-release"):
        fields = dict(line.split("=", 1) for line in read("/etc/os-release").splitlines() if "=" in line)
        names = [word for name in ("ID", "ID_LIKE") for word in fields.get(name, "").strip("\"'").split()]
    return next((PACKAGES[name] for name in names if name in PACKAGES), PACKAGES["other"])


def missing_tool():
    """One line on the compiler or header that is not there, or None."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    folders = [sysconfig.get_path("include"), sysconfig.get_path("platinclude")]
    for variable in ("CPATH", "C_INCLUDE_PATH"):
        folders += os.environ.get(variable, "").split(os.pathsep)
    if not shutil.which(compiler):
        what, package = "there is no C compiler {}".format(compiler), 1
    elif not any(os.path.exists(os.path.join(folder, "Python.h")) for folder in folders):
        what, package = "there is no Python.h in {}".format(folders[0]), 2
    else:
        return None
    install = distribution()
    command = "{} {}".format(install[0], install[package].format(*sys.version_info[:2]))
    return "catprobe cannot be built: {}; please run: {}".format(what, command)


class BuildPackages(build_py):
    """Installs the scripts, which have folders of their own in the checkout, inside the package."""

    def scripts(self):
        for folder, patterns in SCRIPTS.items():
            for pattern in patterns:
                for path in sorted(glob.glob(os.path.join(folder, pattern))):
                    yield path, os.path.join(self.build_lib, "catprobe", "scripts", path)

    def run(self):
        build_py.run(self)
        for path, target in self.scripts():
            self.mkpath(os.path.dirname(target))
            self.copy_file(path, target)

    def get_outputs(self, include_bytecode=1):
        return build_py.get_outputs(self, include_bytecode) + [target for _, target in self.scripts()]


class BuildExtension(build_ext):
    """Generates the C of the provider, and compiles its sites apart, as they need flags of their own."""

    def run(self):
        self.force = (
            True  # CC, CFLAGS or CATPROBE_NO_USDT may not be what they were for an object that is there
        )
        try:
            generate.write(GENERATED)
            embed.write(GENERATED)
            embed_pages.write(GENERATED)
        except generate.Malformed as error:
            sys.exit(str(error))
        try:
            build_ext.run(self)
        except (CompileError, LinkError) as error:
            sys.exit(missing_tool() or "catprobe: cannot be built: {}".format(error))

    def build_extension(self, extension):
        if extension.name == "_catprobe":
            names = ("probes.c", "verbs.c", "pages.c")
            extension.sources += [os.path.join(GENERATED, name) for name in names]
            extension.extra_objects = self.site_objects(extension)
        build_ext.build_extension(self, extension)

    def site_objects(self, extension):
        system = platform.system()
        by_dtrace = system in DTRACE_SYSTEMS and bool(shutil.which("dtrace")) and not NO_USDT
        dtrace = ["dtrace", "-s", generate.PROVIDER]
        if by_dtrace:
            header = os.path.join(GENERATED, "python_provider.h")
            subprocess.check_call(dtrace + ["-h", "-o", header])
            extension.define_macros.append(("PROBES_BY_DTRACE", None))
        # A tracer's call or breakpoint must not meet variables below the stack pointer.
        no_red_zone = ["-mno-red-zone"] if platform.machine() in ("x86_64", "amd64", "i86pc") else []
        objects = self.compiler.compile(
            [os.path.join(GENERATED, "sites.c")],
            output_dir=self.build_temp,
            macros=extension.define_macros,
            include_dirs=extension.include_dirs,
            extra_postargs=extension.extra_compile_args + no_red_zone,
        )
        if by_dtrace and DTRACE_SYSTEMS[system]:
            provider = os.path.join(self.build_temp, "python_provider.o")
            subprocess.check_call(dtrace + ["-G", "-o", provider] + objects)
            objects = objects + [provider]
            extension.libraries.append("elf")
        return objects


NO_USDT = os.environ.get("CATPROBE_NO_USDT", "") not in ("", "0")

# The folders of src: what knows CPython, and what is plain C.
ROOMS = ("hooks", "sampler", "agent")
PLAIN_ROOMS = ("program", "dlang", "engine", "consumer", "viewer", "command")

EXTENSION = Extension(
    "_catprobe",
    sources=["src/_catprobe.c"]
    + sorted(path for room in ROOMS + PLAIN_ROOMS for path in glob.glob("src/{}/*.c".format(room))),
    include_dirs=["src", GENERATED, "probes"],
    define_macros=[("_GNU_SOURCE", "1"), ("CATPROBE_VERSION", '"{}"'.format(version()))]
    + [("CATPROBE_NO_USDT", None)] * NO_USDT,
    libraries=["m"],
    extra_compile_args=["-std=c11", "-O2", "-fvisibility=hidden", "-Wall", "-Wextra"],
    extra_link_args=["-pthread"],
)

setup(
    name="catprobe",
    version=version(),
    description="DTrace probes for any CPython, from the interpreter that you already have",
    long_description=read("README.md") if os.path.exists(os.path.join(HERE, "README.md")) else "",
    long_description_content_type="text/markdown",
    author="The catprobe authors",
    license="MIT",
    python_requires=">=3.6",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Programming Language :: C",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: Implementation :: CPython",
        "Topic :: Software Development :: Debuggers",
        "Topic :: System :: Monitoring",
    ],
    packages=["catprobe", "catdemo"],
    package_dir={"": "src", "catdemo": "catdemo"},
    package_data={"catprobe": ["autoload/*.py", "py.typed"]},
    ext_modules=[EXTENSION],
    cmdclass={"build_py": BuildPackages, "build_ext": BuildExtension},
    entry_points={"console_scripts": ["catprobe = catprobe.__main__:main"]},
    zip_safe=False,
)
