// The certificates in force: from the files of the configuration, or a self-signed one in the data folder; read again
// when a file changes or the configuration is reloaded. Open connections keep what they began with.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/schema.hpp"
#include "crypto/private_keys.hpp"
#include "crypto/tls.hpp"
#include "observe/event.hpp"
#include "world/clock.hpp"
#include "world/disk.hpp"

namespace facteur::server {

// Where certificates come from when this process has no private keys: their chains, with empty key_pem, as the
// configuration says now, and who uses the keys. May block.
struct KeysElsewhere {
  std::shared_ptr<crypto::PrivateKeys> keys;
  std::function<Result<std::vector<crypto::TlsCertificate>>()> certificates;
};

using ReadFile = std::function<Result<std::string>(const std::string& path)>;

class Certificates {
 public:
  // `read_file` reads files outside the data folder; it may block, so load() runs on the pool or at start.
  Certificates(world::Disk& disk, world::Clock& clock, ReadFile read_file, observe::Scope scope,
               KeysElsewhere elsewhere = {})
      : disk_(disk),
        clock_(clock),
        read_file_(std::move(read_file)),
        scope_(std::move(scope)),
        elsewhere_(std::move(elsewhere)) {}

  // Reads all files; publishes a new context if something is new. On failure the old one stays in force.
  Result<void> load(const config::Config& config);

  // Chains and keys as the files are now; a self-signed pair is made if there are none.
  Result<std::vector<crypto::TlsCertificate>> read_all(const config::Config& config);

  std::shared_ptr<const crypto::TlsServerContext> now() const;  // Any thread. Null before the first load().

 private:
  Result<crypto::TlsCertificate> self_signed(const std::string& hostname);

  world::Disk& disk_;
  world::Clock& clock_;
  ReadFile read_file_;
  observe::Scope scope_;
  KeysElsewhere elsewhere_;
  std::string loaded_;  // What the context was made of.
  mutable std::mutex mutex_;
  std::shared_ptr<const crypto::TlsServerContext> context_;
};

// A small file as a whole, and writing it so that it is there wholly or not at all.
Result<std::string> read_small_file(world::Disk& disk, const std::string& path);
Result<void> write_small_file(world::Disk& disk, const std::string& folder, const std::string& name, Bytes text);

}  // namespace facteur::server
