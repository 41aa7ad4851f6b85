// The two ends of the socket to the private keys: the role "keys" that answers, and what the server holds instead of
// keys. A channel is one socket; each carries one question at a time.
#pragma once

#include <chrono>
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

// How others hear that the role is alive: `say` is called once in `every`, as long as no thread that answers is stuck.
struct Heartbeat {
  std::function<void()> say;
  std::chrono::milliseconds every{5000};
};

// Serves these channels, with one thread for each but at most one per processor, until `stop` can be read or the last
// channel ends. A question that was taken is answered first; what cannot be sent is dropped. Files are read by a thread
// of its own: one that cannot be read to its end (a dead network disk) does not keep the others from signing, but this
// from returning.
void serve_keys(KeyService& service, const std::vector<int>& channels, int stop, const Heartbeat& heartbeat = {});

// The server's side. Thread-safe: each question takes the channel that has been free for longest and waits at most
// `patience_ms` for the answer, asking again, by another channel if it can, while the role starts anew. While it is
// silent, the next ones wait a tenth of that.
class RemoteKeys final : public crypto::PrivateKeys {
 public:
  // Takes the channels over. `first_number` must differ between processes that had the same channels.
  RemoteKeys(const std::vector<int>& channels, std::uint64_t first_number, int patience_ms = 3000);
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
