#include "cli/shelter.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/base64.hpp"
#include "host/clock.hpp"
#include "host/disk.hpp"
#include "server/certificates.hpp"
#include "store/folders.hpp"

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

// What every server needs, with keys or without.
roles::SandboxOptions shelter_of_all(const config::Config& config, const std::string& config_path,
                                     const std::vector<std::string>& keys) {
  roles::SandboxOptions out;
  out.json = config.server.log_format == config::Server::LogFormat::json;
  out.readable.assign(std::begin(of_the_system), std::end(of_the_system));
  add(out.readable, around(config_path, keys));
  out.readable.push_back(fs::path(config_path).parent_path() / "conf.d");
  for (const auto& file : {config.dns.zone_file, config.dns.trust_anchor_file,
                           config.delivery.smarthost ? config.delivery.smarthost->password_file : std::string()}) {
    if (!file.empty()) add(out.readable, around(file, keys));
  }
  const fs::path socket = config.control_socket();
  out.sockets = {socket.parent_path().empty() ? "." : socket.parent_path().native()};
  return out;
}

}  // namespace

std::vector<std::string> around(const std::string& file, const std::vector<std::string>& closed) {
  static constexpr std::array<std::string_view, 12> too_much{"/",     "/etc", "/home", "/media", "/mnt", "/opt",
                                                             "/root", "/run", "/srv",  "/tmp",   "/usr", "/var"};
  std::error_code none;
  std::vector<std::string> out;
  const fs::path given = fs::absolute(file, none).lexically_normal();
  for (const fs::path& one : {given, fs::weakly_canonical(given, none)}) {
    const fs::path folder = one.parent_path();
    const auto opens = [&](const std::string& path) { return path.starts_with(folder.native() + "/"); };
    const bool alone = folder.empty() || std::ranges::find(too_much, folder.native()) != too_much.end() ||
                       std::ranges::any_of(closed, opens);
    out.push_back(alone ? one.native() : folder.native());
  }
  return out;
}

roles::SandboxOptions whole_shelter(const config::Config& config, const std::string& config_path) {
  roles::SandboxOptions out = shelter_of_all(config, config_path, {});
  out.role = roles::Role::whole;
  for (const auto& file : config.tls.certificates) {
    add(out.readable, around(file.certificate));
    add(out.readable, around(file.key));
  }
  out.writable = {config.server.data};
  return out;
}

roles::SandboxOptions server_shelter(const config::Config& config, const std::string& config_path) {
  std::error_code none;
  std::vector<std::string> keys;
  for (const auto& file : config.tls.certificates) {
    keys.push_back(fs::absolute(file.key, none).lexically_normal());
    keys.push_back(fs::weakly_canonical(file.key, none));
  }
  roles::SandboxOptions out = shelter_of_all(config, config_path, keys);
  out.role = roles::Role::server;
  const fs::path data = config.server.data;
  out.readable.push_back(data / "instance");
  out.sockets.push_back(data);
  for (const auto folder : store::own_folders) out.writable.push_back(data / folder);
  return out;
}

roles::SandboxOptions keys_shelter(const config::Config& config) {
  roles::SandboxOptions out;
  out.role = roles::Role::keys;
  out.readable.push_back(fs::path(config.server.data) / "keys");
  for (const auto& file : config.tls.certificates) {
    add(out.readable, around(file.certificate));
    add(out.readable, around(file.key));
  }
  return out;
}

Result<void> furnish_data_folder(const config::Config& config) {
  auto disk = host::Disk::open_root(config.server.data);
  if (!disk) return failed(disk);
  for (const auto folder : store::own_folders) {
    if (auto made = (*disk)->create_directory(folder); !made) return made;
  }
  auto named = (*disk)->exists("instance");
  auto segments = (*disk)->list("log");
  if (!named || !segments || *named || !segments->empty() || !config.server.instance.empty()) return {};
  std::string octets(16, '\0');
  host::Random().fill(octets);
  return server::write_small_file(**disk, "", "instance", to_hex(octets) + "\n");
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
