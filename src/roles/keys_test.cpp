#include "roles/keys.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/time.hpp"
#include "rfc_test.hpp"

using namespace facteur;
using namespace facteur::roles;

namespace {

crypto::TlsCertificate certificate_for(const char* name) {
  auto made = crypto::make_self_signed({name}, UtcTime{1'700'000'000'000});
  REQUIRE(made);
  return std::move(*made);
}

// Both ends of some channels.
struct Channels {
  std::vector<int> server, keys;
  explicit Channels(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      int ends[2];
      REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
      server.push_back(ends[0]);
      keys.push_back(ends[1]);
    }
  }
  Channels(const Channels&) = delete;
  Channels& operator=(const Channels&) = delete;
  ~Channels() {  // Those of the server belong to RemoteKeys.
    for (const int fd : keys) ::close(fd);
  }
};

// The role, in threads of this process, until it is destroyed.
class Role {
 public:
  Role(KeyService& service, const std::vector<int>& channels, const Heartbeat& heartbeat = {})
      : stop_(::eventfd(0, EFD_CLOEXEC)),
        thread_([&service, channels, heartbeat, this] { serve_keys(service, channels, stop_, heartbeat); }) {}
  Role(const Role&) = delete;
  Role& operator=(const Role&) = delete;
  ~Role() {
    static_cast<void>(::eventfd_write(stop_, 1));
    thread_.join();
    ::close(stop_);
  }

 private:
  int stop_;
  std::thread thread_;
};

}  // namespace

TEST_CASE("the server asks for chains and signatures, never for keys; a new start of the keys loses no question") {
  const auto certificate = certificate_for("one.example");
  std::atomic<int> reads = 0;
  const auto read = [&]() -> Result<std::vector<crypto::TlsCertificate>> {
    ++reads;
    return std::vector{certificate};
  };
  const Channels channels(3);
  RemoteKeys remote(channels.server, 7);
  crypto::KeyRing ring;
  const auto id = ring.add(certificate.chain_pem, certificate.key_pem);
  REQUIRE(id);
  const std::string digest(32, 'd');
  {
    KeyService service(read);
    const Role role(service, channels.keys);
    const auto chains = remote.certificates();
    REQUIRE(chains);
    REQUIRE(chains->size() == 1);
    CHECK(chains->front().chain_pem == certificate.chain_pem);
    CHECK(chains->front().key_pem.empty());
    CHECK(remote.use(*id, crypto::KeyOperation::ecdsa, digest));
    CHECK(remote.use(*id, crypto::KeyOperation::rsa_pkcs1, digest).error().kind == Failure::Kind::refused);
    crypto::KeyId stranger = *id;
    stranger[0] ^= 1;
    CHECK(remote.use(stranger, crypto::KeyOperation::ecdsa, digest).error().code == "F-6511");
  }
  // Nobody is there now: the question waits for whoever comes.
  std::atomic<bool> answered = false;
  std::thread asking([&] { answered = remote.use(*id, crypto::KeyOperation::ecdsa, digest).has_value(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  {
    KeyService service(read);
    const Role role(service, channels.keys);
    asking.join();
    CHECK(answered);
    // Many at once, more than channels.
    std::atomic<int> good = 0;
    std::vector<std::thread> many;
    for (int i = 0; i < 8; ++i) {
      many.emplace_back([&] {
        for (int k = 0; k < 20; ++k) good += remote.use(*id, crypto::KeyOperation::ecdsa, digest) ? 1 : 0;
      });
    }
    for (auto& thread : many) thread.join();
    CHECK(good == 160);
  }
  CHECK(reads == 2);
}

TEST_CASE("keys that are silent are waited for once, keys that cannot be read say why") {
  const Channels channels(1);
  RemoteKeys remote(channels.server, 1, 300);
  CHECK(remote.certificates().error().kind == Failure::Kind::timed_out);
  KeyService service([]() -> Result<std::vector<crypto::TlsCertificate>> {
    return failure(Failure::Kind::permanent, "F-0000", "A file cannot be read", "the path");
  });
  const Role role(service, channels.keys);
  const auto refused = remote.certificates();
  REQUIRE(!refused);
  CHECK(refused.error().code == "F-6511");
  CHECK(refused.error().cause == "A file cannot be read: the path");
  CHECK(remote.use({}, crypto::KeyOperation::ecdsa, std::string(32, 'd')).error().cause == "no keys");
}

TEST_CASE("what is no question gets no answer, and an answer to another question is not taken") {
  KeyService service(
      []() -> Result<std::vector<crypto::TlsCertificate>> { return std::vector<crypto::TlsCertificate>{}; });
  CHECK(!service.answer(""));
  CHECK(!service.answer("nonsense"));
  CHECK(!service.answer(std::string(2000, '\2')));
  const Channels channels(1);
  const std::string stale = write(KeyReply{.number = 1, .good = true, .parts = {"an old chain"}});
  REQUIRE(::send(channels.keys[0], stale.data(), stale.size(), 0) > 0);
  RemoteKeys remote(channels.server, 1000);
  const Role role(service, channels.keys);
  const auto chains = remote.certificates();
  REQUIRE(chains);
  CHECK(chains->empty());
}

TEST_CASE("a file that cannot be read to its end keeps nobody from signing, and the role is alive meanwhile") {
  const auto certificate = certificate_for("one.example");
  std::mutex disk;  // Held: it does not answer.
  const auto read = [&]() -> Result<std::vector<crypto::TlsCertificate>> {
    const std::lock_guard lock(disk);
    return std::vector{certificate};
  };
  const Channels channels(3);
  RemoteKeys remote(channels.server, 1, 600);
  crypto::KeyRing ring;
  const auto id = ring.add(certificate.chain_pem, certificate.key_pem);
  KeyService service(read);
  REQUIRE(service.prepare());
  std::atomic<int> beats = 0;
  std::unique_lock dead(disk);
  const Role role(service, channels.keys, {[&] { ++beats; }, std::chrono::milliseconds(20)});
  for (std::size_t i = 0; i < channels.server.size(); ++i) {
    CHECK(remote.certificates().error().kind == Failure::Kind::timed_out);
    for (std::size_t k = 0; k <= channels.server.size(); ++k) {
      CHECK(remote.use(*id, crypto::KeyOperation::ecdsa, std::string(32, 'd')));
    }
  }
  CHECK(beats > 20);
  dead.unlock();
  CHECK(remote.certificates());
}

TEST_CASE("a thread that is stuck ends the heartbeat, and a question goes on to another channel") {
  const auto certificate = certificate_for("one.example");
  std::mutex disk;
  const auto read = [&]() -> Result<std::vector<crypto::TlsCertificate>> {
    const std::lock_guard lock(disk);
    return std::vector{certificate};
  };
  const Channels channels(2);
  RemoteKeys remote(channels.server, 1);
  crypto::KeyRing ring;
  const auto id = ring.add(certificate.chain_pem, certificate.key_pem);
  KeyService ready(read), stuck(read);
  REQUIRE(ready.prepare());
  std::atomic<int> beats = 0;
  std::unique_lock dead(disk);
  {
    // Without keys, the first question for a signature reads the files.
    const Role first(stuck, {channels.keys[0]}, {[&] { ++beats; }, std::chrono::milliseconds(20)});
    const Role second(ready, {channels.keys[1]});
    for (int i = 0; i < 4; ++i) CHECK(remote.use(*id, crypto::KeyOperation::ecdsa, std::string(32, 'd')));
    const int then = beats;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    CHECK(beats == then);
    dead.unlock();
  }
}
