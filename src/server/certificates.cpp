#include "server/certificates.hpp"

#include <algorithm>

#include "crypto/hash.hpp"
#include "observe/timestamp.hpp"

namespace facteur::server {

namespace {

constexpr std::uint64_t largest_small_file = 1024 * 1024;
constexpr Duration renew_before = 24h * 30;

}  // namespace

Result<std::string> read_small_file(world::Disk& disk, const std::string& path) {
  auto file = disk.open(path, world::Disk::Mode::read);
  if (!file) return failed(file);
  auto size = (*file)->size();
  if (!size) return failed(size);
  if (*size > largest_small_file) return failure(Failure::Kind::permanent, "F-6060", "A file is too large", path);
  std::string text(*size, '\0');
  auto count = (*file)->read_at(0, Room(text.data(), text.size()));
  if (!count) return failed(count);
  text.resize(*count);
  return text;
}

Result<void> write_small_file(world::Disk& disk, const std::string& folder, const std::string& name, Bytes text) {
  const std::string path = folder.empty() ? name : folder + "/" + name;
  {
    auto file = disk.open(path + ".new", world::Disk::Mode::create);
    if (!file) return failed(file);
    if (auto cut = (*file)->truncate(0); !cut) return cut;
    if (auto written = (*file)->write_at(0, text); !written) return written;
    if (auto synced = (*file)->sync(); !synced) return synced;
  }
  if (auto renamed = disk.rename(path + ".new", path); !renamed) return renamed;
  return disk.sync_directory(folder);
}

Result<crypto::TlsCertificate> Certificates::self_signed(const std::string& hostname) {
  auto chain = read_small_file(disk_, "keys/self-signed.crt");
  auto key = read_small_file(disk_, "keys/self-signed.key");
  if (chain && key) {
    const auto summary = crypto::summarize_certificate(*chain);
    if (summary && std::ranges::find(summary->dns_names, hostname) != summary->dns_names.end() &&
        clock_.utc() + renew_before < summary->not_after) {
      return crypto::TlsCertificate{std::move(*chain), std::move(*key)};
    }
  }
  auto made = crypto::make_self_signed({hostname, "localhost"}, clock_.utc());
  if (!made) return failed(made);
  if (auto folder = disk_.create_directory("keys"); !folder) return failed(folder);
  if (auto written = write_small_file(disk_, "keys", "self-signed.key", made->key_pem); !written)
    return failed(written);
  if (auto written = write_small_file(disk_, "keys", "self-signed.crt", made->chain_pem); !written) {
    return failed(written);
  }
  scope_.event("self_signed_certificate_made")
      .level(observe::Level::warning)
      .field("hostname", hostname)
      .field("advice", "mail programs will warn; set [[tls.certificate]] to a certificate of an authority");
  return std::move(*made);
}

Result<std::vector<crypto::TlsCertificate>> Certificates::read_all(const config::Config& config) {
  std::vector<crypto::TlsCertificate> out;
  for (const auto& files : config.tls.certificates) {
    auto chain = read_file_(files.certificate);
    if (!chain) return failed(chain);
    auto key = read_file_(files.key);
    if (!key) return failed(key);
    const auto summary = crypto::summarize_certificate(*chain);
    if (summary && summary->not_after < clock_.utc() + renew_before) {
      scope_.event("certificate_expires_soon")
          .level(observe::Level::warning)
          .field("file", files.certificate)
          .field("not_after", observe::to_iso8601(summary->not_after));
    }
    out.push_back({std::move(*chain), std::move(*key)});
  }
  if (out.empty()) {
    auto own = self_signed(config.hostname);
    if (!own) return failed(own);
    out.push_back(std::move(*own));
  }
  return out;
}

Result<void> Certificates::load(const config::Config& config) {
  auto certificates = elsewhere_.keys ? elsewhere_.certificates() : read_all(config);
  if (!certificates) return failed(certificates);
  std::string all;
  for (const auto& c : *certificates) all += c.chain_pem + c.key_pem;
  const std::string mark = crypto::sha256(all).string();
  crypto::wipe(all);
  if (mark == loaded_) return {};
  crypto::TlsServerContext::Options options;
  options.certificates = std::move(*certificates);
  options.keys = elsewhere_.keys;
  auto context = crypto::TlsServerContext::make(options);
  if (!context) return failed(context);
  if (!loaded_.empty()) scope_.event("certificates_reloaded").field("count", options.certificates.size());
  loaded_ = mark;
  const std::lock_guard lock(mutex_);
  context_ = std::move(*context);
  return {};
}

std::shared_ptr<const crypto::TlsServerContext> Certificates::now() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

}  // namespace facteur::server
