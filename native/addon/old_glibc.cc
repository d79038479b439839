// libstdc++ asks this variable of glibc 2.32 whether a shared_ptr's counter has to be atomic. A definition of our own,
// which always says yes, binds before that one and lets the binary load on glibc 2.28 (Debian 10, RHEL 8).
extern "C" __attribute__((visibility("hidden"))) const char __libc_single_threaded = 0;
