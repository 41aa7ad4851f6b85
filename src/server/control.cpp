#include "server/control.hpp"

#include "store/key.hpp"

namespace facteur::server {

namespace {

class ControlService : public Service {
 public:
  explicit ControlService(ControlDoors doors) : doors_(std::move(doors)) {}

  Task<void> serve(Connection connection) override {
    while (true) {
      const Instant idle = doors_.clock.now() + 60s;
      auto readable = co_await connection.stream->readable(idle, connection.drain);
      if (!readable || connection.drain->fired()) co_return;
      auto head = co_await read_exactly(*connection.stream, 4);
      if (head.size() != 4) co_return;
      const std::size_t size = store::Parser(head).u32();
      if (size > longest_control_request) co_return;
      std::string request = co_await read_exactly(*connection.stream, size);
      if (request.size() != size) co_return;
      const std::string reply = co_await doors_.answer(std::move(request));
      const std::string framed = store::Key().string(reply).take();
      const Instant deadline = doors_.clock.now() + 30s;
      if (!co_await connection.stream->write(framed, deadline)) co_return;
    }
  }

 private:
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
