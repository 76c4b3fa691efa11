// One Debian, and the same made to look where other systems look for what they trust.

const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const JAVA = '/etc/ssl/certs/java/cacerts';

/** Lines of a Dockerfile behind `FROM`. */
export const layouts = {
  debian: [],
  ubuntu: [`RUN sed -i 's/^ID=.*/ID=ubuntu/' /etc/os-release`],
  alpine: [`RUN ln -s certs/ca-certificates.crt /etc/ssl/cert.pem && sed -i 's/^ID=.*/ID=alpine/' /etc/os-release`],
  fedora: [
    `RUN set -e; t=/etc/pki/ca-trust; mkdir -p $t/extracted/pem $t/extracted/java $t/source/anchors /etc/pki/tls/certs; \\
      mv ${BUNDLE} $t/extracted/pem/tls-ca-bundle.pem; mv ${JAVA} $t/extracted/java/cacerts; rm -rf /etc/ssl/certs; \\
      ln -s /etc/pki/tls/certs /etc/ssl/certs; ln -s $t/extracted/pem/tls-ca-bundle.pem /etc/pki/tls/certs/ca-bundle.crt; \\
      ln -s ca-bundle.crt /etc/pki/tls/certs/ca-certificates.crt; \\
      mkdir /etc/pki/tls/certs/java; ln -s $t/extracted/java/cacerts /etc/pki/tls/certs/java/cacerts; \\
      rm -rf /usr/local/share/ca-certificates; sed -i 's/^ID=.*/ID=fedora/' /etc/os-release`,
  ],
  suse: [
    `RUN set -e; t=/var/lib/ca-certificates; mkdir -p $t/pem $t/openssl /etc/pki/trust/anchors; \\
      mv ${BUNDLE} $t/ca-bundle.pem; mv ${JAVA} $t/java-cacerts; rm -rf /etc/ssl/certs; ln -s $t/pem /etc/ssl/certs; \\
      ln -s ../ca-bundle.pem $t/pem/ca-certificates.crt; ln -s ../../../lib/ca-certificates/ca-bundle.pem /etc/ssl/ca-bundle.pem; \\
      mkdir $t/pem/java; ln -s $t/java-cacerts $t/pem/java/cacerts; \\
      rm -rf /usr/local/share/ca-certificates; sed -i 's/^ID=.*/ID=suse/' /etc/os-release`,
  ],
  // As the images of the JDK's own makers: a key store below JAVA_HOME, of PKCS #12 without a password.
  java: [
    'ENV JAVA_HOME=/opt/java',
    `RUN set -e; rm -f /usr/lib/jvm/*/lib/src.zip /usr/lib/jvm/*/docs; cp -rL /usr/lib/jvm/java-17-openjdk-amd64 /opt/java; rm -f /opt/java/lib/security/cacerts; \\
      keytool -importkeystore -srckeystore ${JAVA} -srcstorepass changeit -destkeystore /opt/java/lib/security/cacerts \\
      -deststoretype pkcs12 -deststorepass changeit -J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE \\
      -J-Dkeystore.pkcs12.macAlgorithm=NONE 2>&1 | tail -1; rm ${JAVA}`,
    'ENV PATH=/opt/java/bin:$PATH',
  ],
  none: [
    `RUN rm -rf /etc/ssl/certs /usr/share/ca-certificates /usr/local/share/ca-certificates; mkdir -p /etc/ssl; \\
      sed -i 's/^ID=.*/ID=none/' /etc/os-release`,
  ],
};

/** What of a job cannot be done there, and why. */
export const without = { none: { java: 'Java trusts nobody without a key store' } };
