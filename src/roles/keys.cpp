#include "roles/keys.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <set>
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

void answer(KeyService& service, int channel, Bytes message) {
  const auto reply = service.answer(message);
  if (!reply) return;
  const std::string text = write(*reply);
  static_cast<void>(::send(channel, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

// Reads the files for those who ask: it may be stuck for as long as their disk is.
class Reading {
 public:
  explicit Reading(KeyService& service) : service_(service), thread_([this] { run(); }) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  // Asked again by the same channel it is the same question.
  void ask(int channel, std::string message) {
    {
      const std::lock_guard lock(mutex_);
      waiting_[channel] = std::move(message);
    }
    changed_.notify_one();
  }

 private:
  void run() {
    for (std::unique_lock lock(mutex_);;) {
      changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
      if (ended_) return;
      const auto next = waiting_.extract(waiting_.begin());
      lock.unlock();
      answer(service_, next.key(), next.mapped());
      lock.lock();
    }
  }

  KeyService& service_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, std::string> waiting_;  // The last question of each channel.
  bool ended_ = false;
  std::thread thread_;
};

// Says that we are alive when every thread has come by.
class Pulse {
 public:
  Pulse(const Heartbeat& heartbeat, std::size_t threads) : heartbeat_(heartbeat) {
    for (std::size_t i = 0; i < threads; ++i) all_.insert(i);
    missing_ = all_;
  }
  int longest_wait_ms() const { return heartbeat_.say ? static_cast<int>(heartbeat_.every.count()) : -1; }
  void here(std::size_t thread) {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (!heartbeat_.say || (said_ && now - *said_ < heartbeat_.every)) return;
    missing_.erase(thread);
    if (!missing_.empty()) return;
    heartbeat_.say();
    said_ = now;
    missing_ = all_;
  }
  void leave(std::size_t thread) {
    const std::lock_guard lock(mutex_);
    all_.erase(thread);
    missing_.erase(thread);
  }

 private:
  const Heartbeat& heartbeat_;
  std::mutex mutex_;
  std::set<std::size_t> all_, missing_;
  std::optional<std::chrono::steady_clock::time_point> said_;
};

// What the threads that answer have in common.
struct Serving {
  KeyService& service;
  Reading& reading;
  Pulse& pulse;
  int stop;
};

void take(const Serving& serving, int channel, std::string& message) {
  const auto request = read_request(message);
  if (request && std::holds_alternative<AskCertificates>(request->what)) {
    serving.reading.ask(channel, std::move(message));
  } else {
    answer(serving.service, channel, message);
  }
}

void serve_some(const Serving& serving, std::size_t thread, const std::vector<int>& channels) {
  std::vector<pollfd> polled{{serving.stop, POLLIN, 0}};
  for (const int channel : channels) polled.push_back({channel, POLLIN, 0});
  std::string message;
  for (std::size_t open = channels.size(); open > 0;) {
    serving.pulse.here(thread);
    if (::poll(polled.data(), polled.size(), serving.pulse.longest_wait_ms()) < 0 && errno != EINTR) return;
    if (polled.front().revents != 0) return;
    for (auto& one : std::span(polled).subspan(1)) {
      if (one.revents == 0) continue;
      const bool got = receive(one.fd, message, MSG_DONTWAIT);
      if (!got && errno != EAGAIN && errno != EINTR) {
        one.fd = -1;
        --open;
        continue;
      }
      if (got) take(serving, one.fd, message);
    }
  }
}

}  // namespace

void serve_keys(KeyService& service, const std::vector<int>& channels, int stop, const Heartbeat& heartbeat) {
  const std::size_t most = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::vector<int>> parts(std::clamp<std::size_t>(channels.size(), 1, most));
  for (std::size_t i = 0; i < channels.size(); ++i) parts[i % parts.size()].push_back(channels[i]);
  Reading reading(service);
  Pulse pulse(heartbeat, parts.size());
  const Serving serving{service, reading, pulse, stop};
  const auto serve = [&](std::size_t i) {
    serve_some(serving, i, parts[i]);
    pulse.leave(i);
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < parts.size(); ++i) threads.emplace_back(serve, i);
  serve(0);
  for (auto& thread : threads) thread.join();
}

struct RemoteKeys::Inside {
  std::mutex mutex;
  std::condition_variable freed;
  std::vector<int> all;
  std::deque<int> free;  // The last one used stands last: one that is stuck has its turn only once in a round.
  std::uint64_t next;
  int patience_ms;
  std::atomic<bool> silent{false};  // The last question for a signature got no answer.

  int take(std::uint64_t& number) {
    std::unique_lock lock(mutex);
    freed.wait(lock, [this] { return !free.empty(); });
    const int channel = free.front();
    free.pop_front();
    number = ++next;
    return channel;
  }
  void give_back(int channel) {
    {
      const std::lock_guard lock(mutex);
      free.push_back(channel);
    }
    freed.notify_one();
  }
  // Another one if there is one.
  int exchange(int channel) {
    const std::lock_guard lock(mutex);
    free.push_back(channel);
    channel = free.front();
    free.pop_front();
    return channel;
  }
};

RemoteKeys::RemoteKeys(const std::vector<int>& channels, std::uint64_t first_number, int patience_ms)
    : inside_(std::make_unique<Inside>()) {
  inside_->all = channels;
  inside_->free.assign(channels.begin(), channels.end());
  inside_->next = first_number;
  inside_->patience_ms = patience_ms;
}

RemoteKeys::~RemoteKeys() {
  for (const int channel : inside_->all) ::close(channel);
}

Result<KeyReply> RemoteKeys::ask(KeyRequest request) {
  const bool use = std::holds_alternative<AskUse>(request.what);  // Else files are read first, which takes its time.
  int channel = inside_->take(request.number);
  const std::string question = write(request);
  std::optional<KeyReply> reply;
  std::string message;
  const int patience = use && inside_->silent ? inside_->patience_ms / 10 : inside_->patience_ms;
  for (int waited = 0; waited < patience && !reply; waited += wait_each_ms) {
    if (use && waited > 0) channel = inside_->exchange(channel);
    static_cast<void>(::send(channel, question.data(), question.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
    pollfd polled{channel, POLLIN, 0};
    while (!reply && ::poll(&polled, 1, wait_each_ms) > 0 && receive(channel, message, MSG_DONTWAIT)) {
      reply = read_reply(message);
      if (reply && reply->number != request.number) reply.reset();  // Of a question that was given up.
    }
  }
  inside_->give_back(channel);
  if (use) inside_->silent = !reply;
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
