find_package(OpenSSL REQUIRED)
find_library(ARGON2 argon2 REQUIRED)
target_link_libraries(${name} ${scope} OpenSSL::SSL OpenSSL::Crypto ${ARGON2})
