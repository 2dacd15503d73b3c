#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// Lets any number of readers in, or one who needs them all to be out.
///
/// POSIX's lock between readers and a writer; neither the standard library nor Foundation has one.
/// A reader may come in twice on one thread: who waits for the readers does not keep new ones out
/// before they are out.
@safe
// Safe: the lock is made for threads, lies at one address and is destroyed by its last holder.
final class Gate: @unchecked Sendable {
  private let lock: UnsafeMutablePointer<pthread_rwlock_t>

  init() {
    unsafe lock = UnsafeMutablePointer.allocate(capacity: 1)
    let code = unsafe pthread_rwlock_init(lock, nil)
    precondition(code == 0, "a lock is a few bytes of memory")
  }

  deinit {
    unsafe pthread_rwlock_destroy(lock)
    unsafe lock.deallocate()
  }

  /// Comes in as a reader.
  func enter() { _ = unsafe pthread_rwlock_rdlock(lock) }

  /// Goes out as a reader.
  func leave() { _ = unsafe pthread_rwlock_unlock(lock) }

  /// Waits until every reader is out, and keeps others out.
  func close() { _ = unsafe pthread_rwlock_wrlock(lock) }

  /// Lets readers in again.
  func open() { _ = unsafe pthread_rwlock_unlock(lock) }
}
