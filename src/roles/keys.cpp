#include "roles/keys.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <span>
#include <thread>

#include "crypto/hash.hpp"

namespace facteur::roles {

namespace {

constexpr int wait_each_ms = 300;  // Then the question is asked again: the role may have started anew meanwhile.

bool receive(int channel, std::string& message, int flags) {
  message.resize(longest_message);
  const ssize_t size = ::recv(channel, message.data(), message.size(), flags);
  message.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return size > 0;
}

}  // namespace

KeyReply KeyService::certificates(std::uint64_t number) {
  const std::lock_guard one_at_a_time(reading_);
  auto read = read_();
  if (!read) return {number, false, {read.error().text + ": " + read.error().cause}};
  auto ring = std::make_shared<crypto::KeyRing>();
  KeyReply reply{number, true, {}};
  for (auto& certificate : *read) {
    const auto added = ring->add(certificate.chain_pem, certificate.key_pem);
    crypto::wipe(certificate.key_pem);
    if (!added) return {number, false, {added.error().text + ": " + added.error().cause}};
    reply.parts.push_back(std::move(certificate.chain_pem));
  }
  if (write(reply).size() > longest_message) return {number, false, {"The chains are too long"}};
  const std::lock_guard lock(mutex_);
  ring_ = std::move(ring);
  return reply;
}

std::shared_ptr<crypto::KeyRing> KeyService::ring() const {
  const std::lock_guard lock(mutex_);
  return ring_;
}

Result<void> KeyService::prepare() {
  const KeyReply reply = certificates(0);
  if (reply.good) return {};
  return failure(Failure::Kind::refused, "F-6513", "The keys cannot be used", reply.parts.front());
}

std::optional<KeyReply> KeyService::answer(Bytes message) {
  const auto request = read_request(message);
  if (!request) return std::nullopt;
  const auto* use = std::get_if<AskUse>(&request->what);
  if (!use) return certificates(request->number);
  // After a new start the first question may be for a signature.
  if (!ring()) static_cast<void>(certificates(0));
  const auto keys = ring();
  if (!keys) return KeyReply{request->number, false, {"no keys"}};
  auto done = keys->use(use->key, use->operation, use->input);
  if (!done) return KeyReply{request->number, false, {done.error().text + ": " + done.error().cause}};
  return KeyReply{request->number, true, {std::move(*done)}};
}

namespace {

void serve_some(KeyService& service, const std::vector<int>& channels, int stop) {
  std::vector<pollfd> polled{{stop, POLLIN, 0}};
  for (const int channel : channels) polled.push_back({channel, POLLIN, 0});
  std::string message;
  for (std::size_t open = channels.size(); open > 0;) {
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if (polled.front().revents != 0) return;
    for (auto& one : std::span(polled).subspan(1)) {
      if (one.revents == 0) continue;
      const bool got = receive(one.fd, message, MSG_DONTWAIT);
      if (!got && errno != EAGAIN && errno != EINTR) {
        one.fd = -1;
        --open;
        continue;
      }
      const auto reply = got ? service.answer(message) : std::nullopt;
      if (!reply) continue;
      const std::string text = write(*reply);
      static_cast<void>(::send(one.fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
    }
  }
}

}  // namespace

void serve_keys(KeyService& service, const std::vector<int>& channels, int stop) {
  const std::size_t most = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::vector<int>> parts(std::clamp<std::size_t>(channels.size(), 1, most));
  for (std::size_t i = 0; i < channels.size(); ++i) parts[i % parts.size()].push_back(channels[i]);
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    threads.emplace_back([&, i] { serve_some(service, parts[i], stop); });
  }
  serve_some(service, parts[0], stop);
  for (auto& thread : threads) thread.join();
}

struct RemoteKeys::Inside {
  std::mutex mutex;
  std::condition_variable freed;
  std::vector<int> all, free;
  std::uint64_t next;
  int patience_ms;
  std::atomic<bool> silent{false};  // The last question got no answer.
};

RemoteKeys::RemoteKeys(std::vector<int> channels, std::uint64_t first_number, int patience_ms)
    : inside_(std::make_unique<Inside>()) {
  inside_->all = channels;
  inside_->free = std::move(channels);
  inside_->next = first_number;
  inside_->patience_ms = patience_ms;
}

RemoteKeys::~RemoteKeys() {
  for (const int channel : inside_->all) ::close(channel);
}

Result<KeyReply> RemoteKeys::ask(KeyRequest request) {
  int channel = -1;
  {
    std::unique_lock lock(inside_->mutex);
    inside_->freed.wait(lock, [this] { return !inside_->free.empty(); });
    channel = inside_->free.back();
    inside_->free.pop_back();
    request.number = ++inside_->next;
  }
  const std::string question = write(request);
  std::optional<KeyReply> reply;
  std::string message;
  const int patience = inside_->silent ? inside_->patience_ms / 10 : inside_->patience_ms;
  for (int waited = 0; waited < patience && !reply; waited += wait_each_ms) {
    static_cast<void>(::send(channel, question.data(), question.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
    pollfd polled{channel, POLLIN, 0};
    while (!reply && ::poll(&polled, 1, wait_each_ms) > 0 && receive(channel, message, MSG_DONTWAIT)) {
      reply = read_reply(message);
      if (reply && reply->number != request.number) reply.reset();  // Of a question that was given up.
    }
  }
  {
    const std::lock_guard lock(inside_->mutex);
    inside_->free.push_back(channel);
  }
  inside_->freed.notify_one();
  inside_->silent = !reply;
  if (!reply) return failure(Failure::Kind::timed_out, "F-6510", "The holder of the keys does not answer");
  if (!reply->good) {
    std::string why = reply->parts.empty() ? std::string() : std::move(reply->parts.front());
    return failure(Failure::Kind::refused, "F-6511", "The holder of the keys refuses", std::move(why));
  }
  return std::move(*reply);
}

Result<std::string> RemoteKeys::use(const crypto::KeyId& key, crypto::KeyOperation operation, Bytes input) {
  auto reply = ask({.number = 0, .what = AskUse{key, operation, std::string(input)}});
  if (!reply) return failed(reply);
  if (reply->parts.size() != 1) return failure(Failure::Kind::temporary, "F-6512", "The answer makes no sense");
  return std::move(reply->parts.front());
}

Result<std::vector<crypto::TlsCertificate>> RemoteKeys::certificates() {
  auto reply = ask({.number = 0, .what = AskCertificates{}});
  if (!reply) return failed(reply);
  std::vector<crypto::TlsCertificate> out;
  for (auto& chain : reply->parts) out.push_back({std::move(chain), {}});
  return out;
}

}  // namespace facteur::roles
