#include "cli/shelter.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "host/disk.hpp"

namespace facteur::cli {

namespace {

namespace fs = std::filesystem;

// What libraries read while the server runs: names, time, trust, the machine. None of it is secret.
constexpr const char* of_the_system[] = {
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/localtime",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/usr/lib/ssl",
    "/usr/share/ca-certificates",
    "/usr/share/dns",
    "/usr/share/zoneinfo",
    "/proc/sys",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices",
    "/sys/kernel/mm/transparent_hugepage",
    "/dev/null",
    "/dev/urandom",
};

void add(std::vector<std::string>& out, const std::vector<std::string>& more) {
  out.insert(out.end(), more.begin(), more.end());
}

}  // namespace

std::vector<std::string> around(const std::string& file) {
  static constexpr std::array<std::string_view, 12> too_much{"/",     "/etc", "/home", "/media", "/mnt", "/opt",
                                                             "/root", "/run", "/srv",  "/tmp",   "/usr", "/var"};
  std::error_code none;
  std::vector<std::string> out;
  const fs::path given = fs::absolute(file, none).lexically_normal();
  for (const fs::path& one : {given, fs::weakly_canonical(given, none)}) {
    const fs::path folder = one.parent_path();
    const bool alone = folder.empty() || std::ranges::find(too_much, folder.native()) != too_much.end();
    out.push_back(alone ? one.native() : folder.native());
  }
  return out;
}

roles::SandboxOptions whole_shelter(const config::Config& config, const std::string& config_path) {
  roles::SandboxOptions out;
  out.role = roles::Role::whole;
  out.json = config.server.log_format == config::Server::LogFormat::json;
  out.readable.assign(std::begin(of_the_system), std::end(of_the_system));
  add(out.readable, around(config_path));
  for (const auto& file : config.tls.certificates) {
    add(out.readable, around(file.certificate));
    add(out.readable, around(file.key));
  }
  for (const auto& file : {config.dns.zone_file, config.dns.trust_anchor_file,
                           config.delivery.smarthost ? config.delivery.smarthost->password_file : std::string()}) {
    if (!file.empty()) add(out.readable, around(file));
  }
  out.writable = {config.server.data};
  const fs::path socket = config.control_socket();
  out.sockets = {socket.parent_path().empty() ? "." : socket.parent_path().native()};
  return out;
}

roles::Sandbox enter_shelter(const config::Config& config, roles::SandboxOptions options) {
  roles::Sandbox out;
  out.missing = "server.sandbox is false";
  if (!config.server.sandbox) return out;
  // Made now: the folders above it will be closed. What is wrong with it is said when the world opens it.
  static_cast<void>(host::Disk::open_root(config.server.data));
  return roles::enter_sandbox(options);
}

}  // namespace facteur::cli
