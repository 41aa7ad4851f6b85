#include "tls/stream.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "tls/buffer.hpp"

namespace facteur::tls {

namespace {

using crypto::TlsEngine;
using Step = TlsEngine::Step;

constexpr std::size_t record_plain = 16 * 1024;  // RFC 8446 §5.1: a record holds at most 2^14 octets.

// The next octets to encrypt from several pieces: large ones as they lie, small ones put together, so that a header
// and a body do not become two records.
class Plaintext {
 public:
  explicit Plaintext(std::span<const Bytes> pieces) : pieces_(pieces) {}

  // At most one record; the same again until consumed. Empty: all is done.
  Bytes next() {
    if (!chunk_.empty()) return chunk_;
    while (at_ < pieces_.size() && offset_ == pieces_[at_].size()) advance();
    if (at_ == pieces_.size()) return {};
    const Bytes rest = pieces_[at_].substr(offset_);
    if (rest.size() >= record_plain || at_ + 1 == pieces_.size()) {
      chunk_ = rest.substr(0, record_plain);
      offset_ += chunk_.size();
    } else {
      chunk_ = gather();
    }
    return chunk_;
  }
  void consume(std::size_t size) { chunk_.remove_prefix(size); }

 private:
  void advance() {
    ++at_;
    offset_ = 0;
  }
  Bytes gather() {
    staging_.take();
    std::size_t filled = 0;
    while (at_ < pieces_.size() && filled < record_plain) {
      const Bytes part = pieces_[at_].substr(offset_, record_plain - filled);
      std::memcpy(staging_.room().data() + filled, part.data(), part.size());
      filled += part.size();
      offset_ += part.size();
      if (offset_ == pieces_[at_].size()) advance();
    }
    return {staging_.room().data(), filled};
  }

  std::span<const Bytes> pieces_;
  std::size_t at_ = 0, offset_ = 0;
  Bytes chunk_;
  Buffer staging_;
};

class EncryptedStream final : public world::Stream {
 public:
  EncryptedStream(std::unique_ptr<world::Stream> below, std::unique_ptr<TlsEngine> engine)
      : below_(std::move(below)), engine_(std::move(engine)) {}

  Task<Result<crypto::TlsSummary>> handshake(Instant deadline);

  Task<Result<bool>> readable(Instant deadline, Wakeup* wakeup) override;
  Task<Result<std::size_t>> read(Room room, Instant deadline) override;
  Task<Result<void>> write(Bytes bytes, Instant deadline) override;
  Task<Result<void>> write(std::span<const Bytes> pieces, Instant deadline) override;
  void end() override;
  void close() override;
  Endpoint peer() const override { return below_->peer(); }
  Endpoint local() const override { return below_->local(); }

 private:
  enum class Call : std::uint8_t { handshake, peek, read };
  Result<Step> call(Call what, Room room);
  Task<Result<bool>> fill(Instant deadline, Wakeup* wakeup);
  Task<Result<void>> flush(Instant deadline);
  // Not inline: its frame must not be a part of that of readable(), which idle connections keep.
  [[gnu::noinline]] Task<Result<void>> flush_in_turn(Instant deadline);
  bool sending() const { return sending_ && sending_->taken(); }
  Turn& turn() {
    if (!sending_) sending_ = std::make_unique<Turn>();
    return *sending_;
  }
  Task<void> say_goodbye();

  std::unique_ptr<world::Stream> below_;
  std::unique_ptr<TlsEngine> engine_;
  // Octets of the peer that OpenSSL has not taken yet; held only while there are any.
  Buffer input_;
  std::size_t begin_ = 0, end_ = 0;
  // Made by the engine outside of write(): handshake, key update, alerts. Goes out before anything encrypted later.
  std::string urgent_;
  // There while somebody sends; idle connections hold none. Held by who takes it from turn().
  std::unique_ptr<Turn> sending_;
  Instant deadline_;  // Of the latest operation: what end() has no deadline of its own for.
  bool established_ = false, ending_ = false, write_failed_ = false;
  TaskGroup background_;  // Last: it goes first.
};

// One call of the engine over what was read so far. What it produces is added to urgent_.
Result<Step> EncryptedStream::call(Call what, Room room) {
  for (;;) {
    std::array<char, 2048> output;
    const Bytes input(input_.room().data() + begin_, end_ - begin_);
    auto step = what == Call::handshake ? engine_->handshake(input, output)
                : what == Call::peek    ? engine_->peek(input, output)
                                        : engine_->read(input, room, output);
    urgent_.append(output.data(), step ? step->produced : engine_->failed_output());
    if (!step) return step;
    begin_ += step->consumed;
    if (begin_ == end_) {
      begin_ = end_ = 0;
      input_.give_back();
    }
    if (step->next == Step::Next::want_room) continue;
    if (step->next == Step::Next::want_input && begin_ != end_) {
      return failure(Failure::Kind::closed, "F-1050", "TLS went wrong", "input left over");
    }
    return step;
  }
}

// Waits for octets of the peer and takes them. False: `wakeup` has fired instead. Called when input_ is empty only.
Task<Result<bool>> EncryptedStream::fill(Instant deadline, Wakeup* wakeup) {
  auto woken = co_await below_->readable(deadline, wakeup);
  if (!woken) co_return failed(woken);
  if (*woken) co_return false;
  input_.take();
  auto size = co_await below_->read(input_.room(), deadline);
  if (!size || *size == 0) input_.give_back();
  if (!size) co_return failed(size);
  if (*size == 0) {
    // RFC 8446 §6.1: without close_notify somebody else may have cut the stream short.
    co_return failure(Failure::Kind::closed, "F-1051", "The peer ended the connection without TLS's goodbye");
  }
  end_ = *size;
  co_return true;
}

// Sends what is urgent; the caller holds the turn to send.
Task<Result<void>> EncryptedStream::flush(Instant deadline) {
  while (!urgent_.empty()) {
    const std::string octets = std::exchange(urgent_, {});
    auto sent = co_await below_->write(octets, deadline);
    if (!sent) {
      write_failed_ = true;
      co_return sent;
    }
  }
  co_return Result<void>{};
}

// For the reading side: if a write is under way, that sends what is urgent.
Task<Result<void>> EncryptedStream::flush_in_turn(Instant deadline) {
  if (urgent_.empty() || sending()) co_return Result<void>{};
  const auto held = co_await turn().take();
  co_return co_await flush(deadline);
}

Task<Result<crypto::TlsSummary>> EncryptedStream::handshake(Instant deadline) {
  deadline_ = deadline;
  for (;;) {
    auto step = call(Call::handshake, {});
    auto flushed = co_await flush_in_turn(deadline);
    if (!step) co_return failed(step);
    if (!flushed) co_return failed(flushed);
    if (step->next == Step::Next::done) break;
    auto filled = co_await fill(deadline, nullptr);
    if (!filled) co_return failed(filled);
  }
  established_ = true;
  co_return engine_->summary();
}

Task<Result<bool>> EncryptedStream::readable(Instant deadline, Wakeup* wakeup) {
  deadline_ = deadline;
  for (;;) {
    if (wakeup && wakeup->fired()) co_return true;
    if (engine_->pending() > 0) co_return false;
    // Only a record's decryption tells whether it holds octets for us (and not a ticket or a key update).
    {
      auto step = call(Call::peek, {});
      auto flushed = co_await flush_in_turn(deadline);
      if (!step) co_return failed(step);
      if (!flushed) co_return failed(flushed);
      if (step->next != Step::Next::want_input) co_return false;
    }
    if (!sending()) sending_.reset();
    auto filled = co_await fill(deadline, wakeup);
    if (!filled) co_return failed(filled);
  }
}

Task<Result<std::size_t>> EncryptedStream::read(Room room, Instant deadline) {
  deadline_ = deadline;
  for (;;) {
    auto step = call(Call::read, room);
    if (!urgent_.empty()) {
      auto flushed = co_await flush_in_turn(deadline);
      if (step && !flushed) co_return failed(flushed);
    }
    if (!step) co_return failed(step);
    if (step->next != Step::Next::want_input) co_return step->plain;
    auto filled = co_await fill(deadline, nullptr);
    if (!filled) co_return failed(filled);
  }
}

Task<Result<void>> EncryptedStream::write(Bytes bytes, Instant deadline) {
  co_return co_await write(std::span<const Bytes>(&bytes, 1), deadline);
}

Task<Result<void>> EncryptedStream::write(std::span<const Bytes> pieces, Instant deadline) {
  const auto held = co_await turn().take();
  deadline_ = deadline;
  Plaintext plaintext(pieces);
  Buffer buffer;
  buffer.take();
  while (!plaintext.next().empty()) {
    if (write_failed_ || ending_) {
      co_return failure(Failure::Kind::closed, "F-1052", "The connection is closed for writing");
    }
    std::size_t made = std::min(urgent_.size(), buffer.size - TlsEngine::record_room);
    std::memcpy(buffer.room().data(), urgent_.data(), made);
    urgent_.erase(0, made);
    while (urgent_.empty() && buffer.size - made >= TlsEngine::record_room && !plaintext.next().empty()) {
      auto step = engine_->write(plaintext.next(), buffer.room().subspan(made));
      if (!step) write_failed_ = true;
      if (!step) co_return failed(step);
      made += step->produced;
      plaintext.consume(step->plain);
    }
    const Bytes octets(buffer.room().data(), made);
    auto sent = co_await below_->write(octets, deadline);
    if (!sent) write_failed_ = true;
    if (!sent) co_return failed(sent);
  }
  co_return co_await flush(deadline);
}

Task<void> EncryptedStream::say_goodbye() {
  const auto held = co_await turn().take();
  if (!write_failed_) {
    std::array<char, 256> output;
    auto step = engine_->close_notify(output);
    urgent_.append(output.data(), step ? step->produced : engine_->failed_output());
    auto sent = co_await flush(deadline_);  // If it cannot be sent, there is nobody to tell.
  }
  below_->end();
}

void EncryptedStream::end() {
  if (std::exchange(ending_, true)) return;
  if (established_) {
    background_.start(say_goodbye());
  } else {
    below_->end();
  }
}

void EncryptedStream::close() {
  end();  // With room in the buffers of the network the goodbye leaves before this returns.
  below_->close();
}

Task<Result<Secured>> secure(std::unique_ptr<world::Stream> below, Result<std::unique_ptr<TlsEngine>> engine,
                             Instant deadline) {
  if (!engine) co_return failed(engine);
  auto stream = std::make_unique<EncryptedStream>(std::move(below), std::move(*engine));
  auto summary = co_await stream->handshake(deadline);
  if (!summary) {
    stream->close();
    co_return failed(summary);
  }
  Secured secured{std::move(stream), std::move(*summary)};
  co_return secured;
}

}  // namespace

Task<Result<Secured>> accept(std::unique_ptr<world::Stream> stream,
                             std::shared_ptr<const crypto::TlsServerContext> context, std::vector<std::string> alpn,
                             Instant deadline) {
  // RELIABILITY G10: an engine takes some 40 KiB. Who connects and says nothing gets none.
  auto begun = co_await stream->readable(deadline, nullptr);
  if (!begun) co_return failed(begun);
  auto engine = TlsEngine::server(std::move(context), std::move(alpn));
  co_return co_await secure(std::move(stream), std::move(engine), deadline);
}

Task<Result<Secured>> connect(std::unique_ptr<world::Stream> stream,
                              std::shared_ptr<const crypto::TlsClientContext> context,
                              crypto::TlsClientParameters parameters, Instant deadline) {
  auto engine = TlsEngine::client(std::move(context), parameters);
  co_return co_await secure(std::move(stream), std::move(engine), deadline);
}

}  // namespace facteur::tls
