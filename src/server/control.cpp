#include "server/control.hpp"

#include "store/key.hpp"

namespace facteur::server {

namespace {

class ControlService : public Service {
 public:
  explicit ControlService(ControlDoors doors) : doors_(std::move(doors)) {}

  Task<void> serve(Connection connection) override {
    Conversation conversation;
    co_await converse(connection, conversation);
    co_await conversation.tasks.finished();
  }

 private:
  Task<void> converse(Connection& connection, Conversation& conversation) {
    while (true) {
      const Instant idle = doors_.clock.now() + 60s;
      auto readable = co_await connection.stream->readable(idle, connection.drain);
      if (!readable || connection.drain->fired()) co_return;
      auto head = co_await read_exactly(*connection.stream, 4);
      if (head.size() != 4) co_return;
      const std::uint32_t length = store::Parser(head).u32();
      const std::size_t size = length & ~octets_follow;
      if (size > longest_control_request) co_return;
      ControlMessage request;
      request.json = co_await read_exactly(*connection.stream, size);
      if (request.json.size() != size) co_return;
      if ((length & octets_follow) != 0) {
        head = co_await read_exactly(*connection.stream, 4);
        const std::size_t more = store::Parser(head).u32();
        if (head.size() != 4 || more > longest_control_octets) co_return;
        request.octets = co_await read_exactly(*connection.stream, more);
        if (request.octets.size() != more) co_return;
      }
      const auto reply = co_await doors_.answer(std::move(request), conversation);
      const Instant deadline = doors_.clock.now() + 30s;
      const std::string out = framed(reply);
      if (!co_await connection.stream->write(out, deadline)) co_return;
    }
  }

  // Fewer only if the peer ends or takes more than ten seconds.
  Task<std::string> read_exactly(world::Stream& stream, std::size_t size) {
    const Instant deadline = doors_.clock.now() + 10s;
    std::string out(size, '\0');
    std::size_t have = 0;
    while (have < size) {
      auto count = co_await stream.read(Room(out.data() + have, size - have), deadline);
      if (!count || *count == 0) break;
      have += *count;
    }
    out.resize(have);
    co_return out;
  }

  ControlDoors doors_;
};

}  // namespace

std::unique_ptr<Service> make_control_service(ControlDoors doors) {
  return std::make_unique<ControlService>(std::move(doors));
}

}  // namespace facteur::server
