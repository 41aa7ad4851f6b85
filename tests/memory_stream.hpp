// Two world::Streams that are connected in memory, for tests of what runs over streams, on one thread without a clock:
// nothing moves but in MemoryLink::run(), and a deadline passes when the test says so.
#pragma once

#include <algorithm>
#include <array>
#include <coroutine>
#include <memory>
#include <string>

#include "world/network.hpp"

namespace facteur::tests {

class MemoryLink {
 public:
  // Each read gives at most `segment` octets; a writer waits when `capacity` octets are on their way.
  explicit MemoryLink(std::size_t segment = 65536, std::size_t capacity = 1 << 20)
      : segment_(segment), capacity_(capacity) {}
  MemoryLink(const MemoryLink&) = delete;
  MemoryLink& operator=(const MemoryLink&) = delete;

  // The two ends; they may not outlive the link.
  std::unique_ptr<world::Stream> first() { return std::make_unique<End>(*this, 0); }
  std::unique_ptr<world::Stream> second() { return std::make_unique<End>(*this, 1); }

  // Resumes who can go on, until nobody can.
  void run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (Way& way : ways_) {
        const bool read = go_on(way.reader), written = go_on(way.writer);
        moved |= read || written;
      }
    }
  }
  // The deadlines of all who wait now have passed.
  void expire() {
    for (Way& way : ways_) {
      if (way.reader) way.reader->expired = true;
      if (way.writer) way.writer->expired = true;
    }
    run();
  }

  // Octets sent from an end (0: first) that have not been read yet: to look at, damage or replace them.
  std::string& in_flight(std::size_t from) { return ways_[from].octets; }
  std::size_t writes(std::size_t from) const { return ways_[from].writes; }
  std::size_t waiting() const {
    std::size_t n = 0;
    for (const Way& way : ways_) n += (way.reader != nullptr) + (way.writer != nullptr);
    return n;
  }

 private:
  struct Wait {
    MemoryLink& link;
    std::size_t way;
    bool reads;
    Wakeup* wakeup = nullptr;
    bool expired = false;
    std::coroutine_handle<> frame{};

    bool over() const {
      const Way& w = link.ways_[way];
      if (expired || w.closed || (wakeup && wakeup->fired())) return true;
      return reads ? !w.octets.empty() || w.ended : w.octets.size() < link.capacity_;
    }
    Wait*& place() const { return reads ? link.ways_[way].reader : link.ways_[way].writer; }
    bool await_ready() const { return over(); }
    void await_suspend(std::coroutine_handle<> waiter) {
      frame = waiter;
      place() = this;
    }
    void await_resume() const {}
    ~Wait() {
      if (place() == this) place() = nullptr;
    }
  };
  struct Way {  // One direction.
    std::string octets;
    bool ended = false, closed = false;
    std::size_t writes = 0;
    Wait* reader = nullptr;
    Wait* writer = nullptr;
  };

  static bool go_on(Wait*& wait) {
    if (!wait || !wait->over()) return false;
    Wait* ready = std::exchange(wait, nullptr);
    ready->frame.resume();
    return true;
  }

  class End final : public world::Stream {
   public:
    End(MemoryLink& link, std::size_t side) : link_(link), side_(side) {}
    ~End() override { close(); }

    Task<Result<bool>> readable(Instant, Wakeup* wakeup) override {
      Wait wait{link_, 1 - side_, true, wakeup};
      co_await wait;
      if (wakeup && wakeup->fired()) co_return true;
      if (auto why = over(in(), wait.expired); !why) co_return failed(why);
      co_return false;
    }
    Task<Result<std::size_t>> read(Room room, Instant) override {
      Wait wait{link_, 1 - side_, true};
      co_await wait;
      if (auto why = over(in(), wait.expired); !why) co_return failed(why);
      const std::size_t size = std::min({room.size(), in().octets.size(), link_.segment_});
      std::copy_n(in().octets.begin(), size, room.begin());
      in().octets.erase(0, size);
      co_return size;
    }
    Task<Result<void>> write(Bytes bytes, Instant deadline) override {
      co_return co_await write(std::span<const Bytes>(&bytes, 1), deadline);
    }
    Task<Result<void>> write(std::span<const Bytes> pieces, Instant) override {
      ++out().writes;
      for (Bytes left : pieces) {
        while (!left.empty()) {
          Wait wait{link_, side_, false};
          co_await wait;
          if (auto why = over(out(), wait.expired); !why) co_return failed(why);
          const std::size_t size = std::min(left.size(), link_.capacity_ - out().octets.size());
          out().octets += left.substr(0, size);
          left.remove_prefix(size);
        }
      }
      co_return Result<void>{};
    }
    void end() override { out().ended = true; }
    void close() override {
      out().ended = true;
      closed_ = true;
      in().closed = true;
    }
    Endpoint peer() const override { return {IpAddress::loopback(), static_cast<std::uint16_t>(2 - side_)}; }
    Endpoint local() const override { return {IpAddress::loopback(), static_cast<std::uint16_t>(1 + side_)}; }

   private:
    Way& out() const { return link_.ways_[side_]; }
    Way& in() const { return link_.ways_[1 - side_]; }
    Result<void> over(const Way& way, bool expired) const {
      if (closed_ || (way.closed && &way == &out())) return failure(Failure::Kind::closed, "test", "closed");
      if (expired) return failure(Failure::Kind::timed_out, "test", "deadline");
      return {};
    }
    MemoryLink& link_;
    std::size_t side_;
    bool closed_ = false;
  };

  std::size_t segment_, capacity_;
  std::array<Way, 2> ways_;
};

}  // namespace facteur::tests
