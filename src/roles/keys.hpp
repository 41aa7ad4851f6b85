// The two ends of the socket to the private keys: the role "keys" that answers, and what the server holds instead of
// keys. A channel is one socket; each carries one question at a time.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "crypto/private_keys.hpp"
#include "crypto/tls.hpp"
#include "roles/key_protocol.hpp"

namespace facteur::roles {

// The keys and chains of the configuration as they are now, read from their files.
using ReadCertificates = std::function<Result<std::vector<crypto::TlsCertificate>>()>;

// Answers questions: the logic of the role, without sockets. Thread-safe, if `read` is.
class KeyService {
 public:
  explicit KeyService(ReadCertificates read) : read_(std::move(read)) {}
  // Reads the keys, as the first question would. Fails (refused) with the reason.
  Result<void> prepare();
  // An answer for any message at all; nothing for one that is no question (it is dropped).
  std::optional<KeyReply> answer(Bytes message);

 private:
  KeyReply certificates(std::uint64_t number);
  std::shared_ptr<crypto::KeyRing> ring() const;

  ReadCertificates read_;
  std::mutex reading_;        // One reads at a time.
  mutable std::mutex mutex_;  // Guards ring_, which is replaced as a whole.
  std::shared_ptr<crypto::KeyRing> ring_;
};

// Serves these channels, with one thread for each but at most one per processor, until `stop` can be read or the last
// channel ends. A question that was taken is answered first; what cannot be sent is dropped.
void serve_keys(KeyService& service, const std::vector<int>& channels, int stop);

// The server's side. Thread-safe: each question takes a free channel and waits at most `patience_ms` for the answer,
// asking again while the role starts anew. While it is silent, the next ones wait a tenth of that.
class RemoteKeys final : public crypto::PrivateKeys {
 public:
  // Takes the channels over. `first_number` must differ between processes that had the same channels.
  RemoteKeys(std::vector<int> channels, std::uint64_t first_number, int patience_ms = 3000);
  ~RemoteKeys() override;
  RemoteKeys(const RemoteKeys&) = delete;
  RemoteKeys& operator=(const RemoteKeys&) = delete;

  Result<std::string> use(const crypto::KeyId& key, crypto::KeyOperation operation, Bytes input) override;
  // The chains, whose keys are on the other side.
  Result<std::vector<crypto::TlsCertificate>> certificates();

 private:
  struct Inside;
  Result<KeyReply> ask(KeyRequest request);
  std::unique_ptr<Inside> inside_;
};

}  // namespace facteur::roles
