#include "roles/messages.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

namespace facteur::roles {

namespace {

constexpr int patience_ms = 15'000;
constexpr int first_descriptor = 3;

union Control {
  cmsghdr header;
  char octets[CMSG_SPACE(sizeof(int))];
};

// A socket, or -1: that was the last one (`text` stands behind it), or nothing came in time.
int receive_socket(int channel, std::string& text) {
  pollfd polled{channel, POLLIN, 0};
  if (::poll(&polled, 1, patience_ms) <= 0) return text = "the keeper does not answer", -1;
  char octets[longest_text + 1];
  iovec part{octets, sizeof octets};
  Control control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.octets;
  message.msg_controllen = sizeof control.octets;
  const ssize_t size = ::recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 1) return text = "the keeper has gone", -1;
  if (static_cast<Message>(octets[0]) != Message::socket) {
    text.assign(octets + 1, static_cast<std::size_t>(size) - 1);
    return -1;
  }
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int))) return -1;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

bool is_socket(int fd) {
  struct stat found{};
  return ::fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode);
}

}  // namespace

void send(int channel, Message message, std::string_view text) {
  std::string octets(1, static_cast<char>(message));
  octets += text.substr(0, longest_text);
  static_cast<void>(::send(channel, octets.data(), octets.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

void send_socket(int channel, int fd) {
  auto kind = Message::socket;
  iovec part{&kind, 1};
  Control control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.octets;
  message.msg_controllen = sizeof control.octets;
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  static_cast<void>(::sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

Prepared ask_to_prepare(int keeper) {
  Prepared out;
  send(keeper, Message::ports);
  for (int fd; (fd = receive_socket(keeper, out.problem)) >= 0;) out.sockets.push_back(fd);
  return out;
}

namespace {

// All of a file; it is closed then.
std::string text_in(int fd) {
  std::string out;
  char part[4096];
  for (ssize_t size; (size = ::pread(fd, part, sizeof part, static_cast<off_t>(out.size()))) > 0;) {
    out.append(part, static_cast<std::size_t>(size));
  }
  ::close(fd);
  return out;
}

}  // namespace

std::optional<Inherited> inherited() {
  const char* const text = std::getenv(role_variable);
  if (!text) return std::nullopt;
  std::istringstream in(text);
  ::unsetenv(role_variable);
  std::string role;
  std::size_t channels = 0, sockets = 0, kept = 0;
  Inherited out;
  if (!(in >> role >> channels >> sockets >> out.shards >> out.keeper_process >> kept)) return std::nullopt;
  if (role != "keys" && role != "server") return std::nullopt;
  out.role = role == "keys" ? Role::keys : Role::server;
  int next = first_descriptor;
  bool good = true;
  const auto take = [&] {
    good = good && is_socket(next);
    ::fcntl(next, F_SETFD, FD_CLOEXEC);
    return next++;
  };
  out.keeper = take();
  for (std::size_t i = 0; i < channels && good; ++i) out.channels.push_back(take());
  for (std::size_t i = 0; i < sockets && good; ++i) out.listening.push_back(take());
  if (!good) return std::nullopt;
  if (kept != 0) out.configuration = text_in(next);
  return out;
}

void end_with_keeper(const Inherited& inherited) {
  const int end = inherited.role == Role::keys ? SIGKILL : SIGTERM;
  ::prctl(PR_SET_PDEATHSIG, end);
  if (::getppid() != inherited.keeper_process) ::raise(end);  // It has ended already.
}

}  // namespace facteur::roles
